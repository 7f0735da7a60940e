package cgroups

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Find gives a Manager for each cgroup with processes in which a container of spec, whose record is
// lost, may be. Where a relative path begins, and which driver took it, only its creator knew: so
// all processes are asked where they are. If there are none, it gives that of the cgroup which a
// container that is made now would have, if that exists.
func Find(spec *specs.Spec, o Options) ([]*Manager, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	places := placesOf(spec, o)
	found := map[string]*Manager{} // by its directory
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		list, err := readMembership("/proc/" + e.Name() + "/cgroup")
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, p := range places {
			if err := p.find(pid, list, found); err != nil {
				return nil, err
			}
		}
	}
	if len(found) > 0 {
		return slices.Collect(maps.Values(found)), nil
	}
	return empty(spec, o)
}

// find adds the cgroup at this place that a process is in or below, if it is.
func (p *place) find(pid int, list []membership, found map[string]*Manager) error {
	m, err := p.manager(list)
	if err != nil || m == nil || found[m.Dir()] != nil {
		return err
	}
	pids, err := m.Pids()
	if err == nil && slices.Contains(pids, pid) { // it is not a zombie, which /proc still shows there
		found[m.Dir()] = m
	}
	return err
}

// empty is a cgroup that may be left of the container.
func empty(spec *specs.Spec, o Options) ([]*Manager, error) {
	path := ""
	if spec.Linux != nil {
		path = spec.Linux.CgroupsPath
	}
	m := managerOf(Record{Driver: DriverCgroupfs, Mode: CurrentMode(), Rootless: o.Rootless})
	var err error
	if m.record.Hierarchies, err = planPaths(m.record.Mode, path, o.ID); err != nil || !m.exists() {
		return nil, err
	}
	return []*Manager{m}, nil
}

// place is what linux.cgroupsPath says to one driver about the place of a container.
type place struct {
	record Record
	path   string // begins with a slash
	below  bool   // it may begin anywhere
}

func placesOf(spec *specs.Spec, o Options) []place {
	path := o.ID
	if spec.Linux != nil && spec.Linux.CgroupsPath != "" {
		path = spec.Linux.CgroupsPath
	}
	record := Record{Driver: DriverCgroupfs, Mode: CurrentMode(), Rootless: o.Rootless}
	places := []place{{record, filepath.Clean("/" + path), !strings.HasPrefix(path, "/")}}
	if path == o.ID {
		path = ""
	}
	if slice, unit, err := parseUnitPath(path, o.ID); err == nil {
		record.Driver, record.Slice, record.Unit = DriverSystemd, slice, unit
		places = append(places, place{record, "/" + unit, true})
	}
	return places
}

// manager is that of the cgroup at this place which a process is in or below, nil if it is
// elsewhere.
func (p *place) manager(list []membership) (*Manager, error) {
	m := managerOf(p.record)
	for i := range list {
		if skipHierarchy(p.record.Mode, &list[i]) {
			continue
		}
		path, ok := p.cut(list[i].path)
		if !ok {
			continue
		}
		h, _, ok, err := locate(p.record.Mode, &list[i], false)
		if err != nil {
			return nil, err
		}
		if ok {
			h.Path = path
			m.record.Hierarchies = append(m.record.Hierarchies, h)
		}
	}
	if len(m.record.Hierarchies) == 0 {
		return nil, nil // the process is elsewhere
	}
	return m, nil
}

// cut gives the part of a process' path that ends with this place.
func (p *place) cut(path string) (string, bool) {
	at := strings.LastIndex(path+"/", p.path+"/")
	if at < 0 || p.path == "/" { // the root is nobody's own
		return "", false
	}
	if !p.below {
		at = 0
	}
	end := at + len(p.path)
	return path[:min(end, len(path))], strings.HasPrefix(path[at:]+"/", p.path+"/")
}
