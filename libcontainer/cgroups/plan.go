package cgroups

import (
	"reflect"
	"slices"
	"strings"

	lib "github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/cgroups/devices"
)

// plan is what a new container's cgroups are to be given, made before any of them exists.
type plan struct {
	cpus, mems string         // cpuset: before a process joins
	early      limits         // what doesn't hurt init
	late       limits         // memory and pids: init needs more of them than the container's program may
	devices    devices.Policy // early
	sharedPID  bool           // no pid namespace ends the container's processes with its init
}

// limits are values for files of a cgroup: the library's part and linux.resources.unified, sorted by file name.
type limits struct {
	lib.Resources
	unified []setting
}

type setting struct{ file, value string }

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
	p := &plan{devices: policy, sharedPID: !hasPIDNamespace(spec), early: limits{Resources: convert(r)}}
	for _, s := range sortedUnified(r.Unified) {
		if controller, _, _ := strings.Cut(s.file, "."); controller == "memory" || controller == "pids" || controller == "cpu" {
			p.late.unified = append(p.late.unified, s)
		} else {
			p.early.unified = append(p.early.unified, s)
		}
	}
	p.split()
	return p, nil
}

func hasPIDNamespace(spec *specs.Spec) bool {
	return spec.Linux != nil && newNamespace(spec.Linux.Namespaces, specs.PIDNamespace)
}

// split takes out of p.early what doesn't belong there.
func (p *plan) split() {
	e, l := &p.early.Resources, &p.late.Resources
	p.cpus, e.CpusetCpus = e.CpusetCpus, ""
	p.mems, e.CpusetMems = e.CpusetMems, ""
	l.PidsLimit, e.PidsLimit = e.PidsLimit, nil
	l.CpuQuota, e.CpuQuota = e.CpuQuota, 0
	l.CpuPeriod, e.CpuPeriod = e.CpuPeriod, 0
	l.CpuBurst, e.CpuBurst = e.CpuBurst, nil
	l.CPUIdle, e.CPUIdle = e.CPUIdle, nil
	l.CpuShares, e.CpuShares = e.CpuShares, 0
	l.CpuWeight, e.CpuWeight = e.CpuWeight, 0
	l.Memory, e.Memory = e.Memory, 0
	l.MemorySwap, e.MemorySwap = e.MemorySwap, 0
	l.MemoryReservation, e.MemoryReservation = e.MemoryReservation, 0
	l.MemorySwappiness, e.MemorySwappiness = e.MemorySwappiness, nil
	l.OomKillDisable, e.OomKillDisable = e.OomKillDisable, false
}

func sortedUnified(m map[string]string) []setting {
	var out []setting
	for file, value := range m {
		out = append(out, setting{file, value})
	}
	slices.SortFunc(out, func(a, b setting) int { return strings.Compare(a.file, b.file) })
	return out
}

func (l *limits) empty() bool {
	return len(l.unified) == 0 && reflect.ValueOf(&l.Resources).Elem().IsZero()
}

// limits tells whether any limit is asked for, device rules aside.
func (p *plan) limits() bool {
	return p.cpus != "" || p.mems != "" || !p.early.empty() || !p.late.empty()
}

// needsDomain tells whether a limit is asked for that threaded v2 cgroups don't have.
func (p *plan) needsDomain() bool {
	e, l := &p.early.Resources, &p.late.Resources
	return l.Memory != 0 || l.MemorySwap != 0 || l.MemoryReservation != 0 || len(e.HugetlbLimit) > 0 ||
		l.CpuWeight != 0 || l.CpuQuota != 0 || l.CpuPeriod != 0 || l.CPUIdle != nil || l.CpuBurst != nil ||
		e.BlkioWeight != 0 || len(e.BlkioWeightDevice) > 0 ||
		len(e.BlkioThrottleReadBpsDevice) > 0 || len(e.BlkioThrottleWriteBpsDevice) > 0 ||
		len(e.BlkioThrottleReadIOPSDevice) > 0 || len(e.BlkioThrottleWriteIOPSDevice) > 0
}

// needs tells whether the container can't do without a hierarchy of which the caller is kept out. What is asked of a v1
// hierarchy that was left out shows when its files are written.
func (m *Manager) needs(h *Hierarchy) bool {
	return m.record.Mode == V2 && h.unified() && m.plan != nil && m.plan.limits()
}

// mayDrop tells whether the container can do without a cgroup that its user has no permission for: any if the configuration names
// none, and in any case the one in the unified hierarchy beside those of v1, where it only makes killing easier.
func (m *Manager) mayDrop(h *Hierarchy, err error) bool {
	return denied(err) && !m.needs(h) && (m.optional || m.record.Rootless && h.unified() && m.record.Mode != V2)
}
