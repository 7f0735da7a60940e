package cgroups

import (
	"fmt"
	"slices"
	"strings"
)

// enableControllers makes every controller of the hierarchy available in the container's cgroup, by
// enabling it in the cgroups above. A parent that other containers use already has all of them, so
// that is looked at first.
func (m *maker) enableControllers(h *Hierarchy) error {
	all, err := readFile(h.Mount + "/cgroup.controllers")
	if err != nil {
		return err
	}
	have, err := readFile(h.Dir() + "/cgroup.controllers")
	if err != nil {
		return err
	}
	if all != have {
		if err := m.enableFromTop(h, strings.Fields(all)); err != nil {
			return err
		}
	}
	if err := m.setCpuset2(h); err != nil || m.owner < 0 {
		return err
	}
	return handOver(h.Dir(), m.owner)
}

func (m *maker) enableFromTop(h *Hierarchy, controllers []string) error {
	dir := h.Mount
	enable(dir, controllers)
	for name := range strings.SplitSeq(strings.Trim(h.Path, "/"), "/") {
		dir += "/" + name
		if err := m.checkDomain(dir); err != nil {
			return err
		}
		if dir != h.Dir() {
			enable(dir, controllers)
		}
	}
	return nil
}

// enable turns controllers on for the cgroups below dir. One that can't be is left out: whether it
// is needed shows when its files are written.
func enable(dir string, controllers []string) {
	if len(controllers) == 0 {
		return
	}
	file := dir + "/cgroup.subtree_control"
	if writeFile(file, "+"+strings.Join(controllers, " +")) == nil {
		return
	}
	for _, c := range controllers {
		_ = writeFile(file, "+"+c)
	}
}

// checkDomain deals with threaded cgroups on the way (cgroups(7), "Thread mode"): below a cgroup
// that has processes of its own, a new one is "domain invalid" and can only be used in threaded
// mode, which not every controller supports.
func (m *maker) checkDomain(dir string) error {
	kind, err := readFile(dir + "/cgroup.type")
	if err != nil || kind == "domain" {
		return nil
	}
	if m.plan.needsDomain() {
		return fmt.Errorf("cgroup %q is in mode %q: it can't limit memory, I/O, huge pages or CPU", dir, kind)
	}
	if kind == "domain invalid" && slices.Contains(m.made, dir) {
		// Best effort: without limits a threaded cgroup is as good.
		_ = writeFile(dir+"/cgroup.type", "threaded")
	}
	return nil
}

// setCpuset2 sets the container's CPUs and memory nodes before a process can join, so that none
// ever runs elsewhere.
func (m *maker) setCpuset2(h *Hierarchy) error {
	for _, set := range [...]struct{ name, value string }{{"cpus", m.plan.cpus}, {"mems", m.plan.mems}} {
		if set.value == "" {
			continue
		}
		if err := writeFile(h.Dir()+"/cpuset."+set.name, set.value); err != nil {
			return m.cpusetRefused(set.name, set.value, err)
		}
	}
	return nil
}
