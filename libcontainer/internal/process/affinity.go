package process

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

func planAffinity(plan *Plan, p *specs.Process, _ *specs.Spec, at string) (err error) {
	a := p.ExecCPUAffinity
	if a == nil {
		return nil
	}
	if plan.AffinityInitial, err = parseCPUSet(a.Initial); err != nil {
		return specconv.Fieldf(at+"/execCPUAffinity/initial", "invalid CPU list: %w", err)
	}
	if plan.AffinityFinal, err = parseCPUSet(a.Final); err != nil {
		return specconv.Fieldf(at+"/execCPUAffinity/final", "invalid CPU list: %w", err)
	}
	return nil
}

// addAffinityReset lets thread tid, or the calling one if tid is 0, run on every CPU that its
// cpuset has, now and later: the container must not inherit the affinity of whoever called the
// runtime. The mask has every bit set, also those of CPUs that are not online. EINVAL, which the
// kernel gives when the cpuset is being changed, and EPERM are not worth a failure.
func addAffinityReset(l *calls.List, tid int) {
	addAffinity(l, tid, everyCPU()).Or("reset CPU affinity").Expect = []unix.Errno{unix.EINVAL, unix.EPERM}
}

// AddExecAffinity gives thread tid, or the calling one if tid is 0, the CPUs that it shall have
// once it is in the container's cgroup, for an exec: the final set of execCPUAffinity; if there is
// none, what the initial one left; if neither is given, every CPU. The kernel takes away what the
// thread's cpuset doesn't have, and refuses with EINVAL if nothing is left.
func (p *Plan) AddExecAffinity(l *calls.List, tid int) {
	if set := p.AffinityFinal; len(set) > 0 {
		addAffinity(l, tid, set).Or("execCPUAffinity.final: set CPU affinity %s", set)
	} else if len(p.AffinityInitial) == 0 {
		addAffinityReset(l, tid)
	}
}

func addAffinity(l *calls.List, tid int, set CPUSet) *calls.Call {
	return l.Do(unix.SYS_SCHED_SETAFFINITY, uintptr(tid), uintptr(len(set)*8), l.Words(set...))
}

// kernelCPUs is how many CPUs a kernel can be built for at most (CONFIG_NR_CPUS).
const kernelCPUs = 8192

func everyCPU() CPUSet {
	every := make(CPUSet, kernelCPUs/64)
	for i := range every {
		every[i] = ^uint64(0)
	}
	return every
}
