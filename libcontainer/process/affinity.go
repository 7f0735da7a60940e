package process

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

func planAffinity(plan *Plan, p *specs.Process, _ *specs.Spec, at string) (err error) {
	a := p.ExecCPUAffinity
	if a == nil {
		return nil
	}
	if plan.AffinityInitial, err = ParseCPUSet(a.Initial); err != nil {
		return specconv.Fieldf(at+"/execCPUAffinity/initial", "invalid CPU list: %w", err)
	}
	if plan.AffinityFinal, err = ParseCPUSet(a.Final); err != nil {
		return specconv.Fieldf(at+"/execCPUAffinity/final", "invalid CPU list: %w", err)
	}
	return nil
}

// SetAffinity lets thread tid, or the calling one if tid is 0, run on the CPUs of set only; an empty set does nothing. The
// kernel takes away what the thread's cpuset doesn't have, and refuses with EINVAL if nothing is left.
func SetAffinity(tid int, set CPUSet) error {
	if len(set) == 0 {
		return nil
	}
	if errno := setAffinity(tid, set); errno != 0 {
		return fmt.Errorf("set CPU affinity %s: %w", set, errno)
	}
	return nil
}

// ResetAffinity lets thread tid, or the calling one if tid is 0, run on every CPU that its cpuset has, now and later: the
// container must not inherit the affinity of whoever called the runtime. The mask has every bit set, also those of CPUs that
// are not online. EINVAL, which the kernel gives when the cpuset is being changed, and EPERM are not worth a failure.
func ResetAffinity(tid int) error {
	errno := setAffinity(tid, everyCPU())
	if errno == 0 || errno == unix.EINVAL || errno == unix.EPERM {
		return nil
	}
	return fmt.Errorf("reset CPU affinity: %w", errno)
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

func setAffinity(tid int, set CPUSet) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, uintptr(tid), uintptr(len(set)*8), sliceAddr(set))
	return errno
}

// SetExecAffinity gives process pid the CPUs it shall have once it is in the container's cgroup, for an exec: the final set of
// execCPUAffinity; if there is none, what the initial one left; if neither is given, every CPU.
func (p *Plan) SetExecAffinity(pid int) error {
	if len(p.AffinityInitial) == 0 && len(p.AffinityFinal) == 0 {
		return ResetAffinity(pid)
	}
	if err := SetAffinity(pid, p.AffinityFinal); err != nil {
		return fmt.Errorf("execCPUAffinity.final: %w", err)
	}
	return nil
}
