package cgroups

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups/devices"
)

// plan is what a new container's cgroups are to be given, made before any of them exists.
type plan struct {
	cpus, mems string         // cpuset: before a process joins
	early      *limits        // what init has room in
	late       *limits        // what it needs more of than the container's program may have, see room
	devices    devices.Policy // early
	sharedPID  bool           // no pid namespace ends the container's processes with its init
}

func newPlan(spec *specs.Spec) (*plan, error) {
	r, nodes := &specs.LinuxResources{}, []specs.LinuxDevice(nil)
	if spec.Linux != nil {
		nodes = spec.Linux.Devices
		if spec.Linux.Resources != nil {
			r = spec.Linux.Resources
		}
	}
	policy, err := devices.NewPolicy(r.Devices, nodes)
	if err != nil {
		return nil, err
	}
	p := &plan{devices: policy, sharedPID: !hasPIDNamespace(spec), early: newLimits(r), late: newLimits(nil)}
	tight, unified := shortages(p.early), p.early.unified
	p.early.unified = nil
	for _, s := range unified {
		if tight.late(s.file) {
			p.late.unified = append(p.late.unified, s)
		} else {
			p.early.unified = append(p.early.unified, s)
		}
	}
	p.split(tight)
	return p, nil
}

func hasPIDNamespace(spec *specs.Spec) bool {
	return spec.Linux != nil && newNamespace(spec.Linux.Namespaces, specs.PIDNamespace)
}

// limits tells whether any limit is asked for, device rules aside.
func (p *plan) limits() bool {
	return p.cpus != "" || p.mems != "" || !p.early.empty() || !p.late.empty()
}

// needsDomain tells whether a limit is asked for that threaded v2 cgroups don't have.
func (p *plan) needsDomain() bool {
	for i := range table {
		e := &table[i]
		switch e.controller {
		case "memory", "io", "cpu", "hugetlb":
			if e.v2 && (len(e.lines(p.early)) > 0 || len(e.lines(p.late)) > 0) {
				return true
			}
		}
	}
	return false
}

// needs tells whether the container can't do without a hierarchy of which the caller is kept out.
// What is asked of a v1 hierarchy that was left out shows when its files are written.
func (m *maker) needs(h *Hierarchy) bool {
	return m.record.Mode == V2 && h.unified() && m.plan.limits()
}

// mayDrop tells whether the container can do without a cgroup that its user has no permission for:
// any if the configuration names none, and in any case the one in the unified hierarchy beside
// those of v1, where it only makes killing easier.
func (m *maker) mayDrop(h *Hierarchy, err error) bool {
	return denied(err) && !m.needs(h) && (m.optional || m.record.Rootless && h.unified() && m.record.Mode != V2)
}
