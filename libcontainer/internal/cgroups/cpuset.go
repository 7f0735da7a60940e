package cgroups

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// fillCpuset gives a v1 cpuset its CPUs and memory nodes. It refuses processes before it has both,
// and a new one has none (unless its parent says cgroup.clone_children): what the container doesn't
// ask for is its parent's.
func (m *maker) fillCpuset(h *Hierarchy) error {
	cpus, mems := m.plan.cpus, m.plan.mems
	if err := fillCpusetFile(h.Dir(), h.Mount, "cpus", cpus); err != nil {
		return m.cpusetRefused("cpus", cpus, err)
	}
	return m.cpusetRefused("mems", mems, fillCpusetFile(h.Dir(), h.Mount, "mems", mems))
}

// cpusetRefused says what is wrong with a value of the configuration; without one, the error is
// about the cgroups above.
func (a *applier) cpusetRefused(name, value string, err error) error {
	if err == nil || value == "" {
		return err
	}
	for i := range table {
		if e := &table[i]; e.field == "cpu/"+name && e.v2 == (a.record.Mode == V2) {
			dir := a.directory("cpuset")
			return a.refused(&write{e, dir, e.controller, e.file, value, "/linux/resources/" + e.field}, err)
		}
	}
	return err
}

// fillCpusetFile sets one of the two in dir, to value or else to what dir's parent has, which gets
// it in the same way.
func fillCpusetFile(dir, mount, name, value string) error {
	if value == "" && dir != mount {
		var err error
		if value, err = cpusetValue(filepath.Dir(dir), mount, name); err != nil {
			return err
		}
	}
	if dir == mount {
		return nil
	}
	err := writeCpuset(dir, name, value)
	if errors.Is(err, unix.EACCES) {
		// Not a part of the parent's, which may have none yet.
		if _, perr := cpusetValue(filepath.Dir(dir), mount, name); perr == nil {
			err = writeCpuset(dir, name, value)
		}
	}
	return err
}

// cpusetValue reads a directory's value. An empty one is filled first.
func cpusetValue(dir, mount, name string) (string, error) {
	file := dir + "/cpuset." + name
	value, err := readFile(file)
	if gone(err) { // mounted with the option noprefix
		file = dir + "/" + name
		value, err = readFile(file)
	}
	if err != nil || value != "" || dir == mount {
		return value, err
	}
	if value, err = cpusetValue(filepath.Dir(dir), mount, name); err != nil {
		return "", err
	}
	return value, writeFile(file, value)
}

func writeCpuset(dir, name, value string) error {
	err := writeFile(dir+"/cpuset."+name, value)
	if gone(err) && unix.Access(dir+"/"+name, unix.F_OK) == nil {
		err = writeFile(dir+"/"+name, value)
	}
	return err
}
