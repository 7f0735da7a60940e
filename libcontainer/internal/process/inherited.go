package process

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/internal/thread"
	"oci-run/libcontainer/internal/calls"
)

// Inherited says what a process would have of the runtime's caller that the configuration does not
// ask for, and that is to be as for a process that nobody has changed. Usually that is nothing at
// all.
type Inherited struct {
	Scheduler    bool // a policy or a nice value
	Nice         bool // one that the policy of the configuration leaves as it is
	IOPriority   bool
	TimerSlack   bool
	MemoryPolicy bool
}

// defaultTimerSlack is what the first process of a system has, in nanoseconds
// (PR_SET_TIMERSLACK(2const)).
const defaultTimerSlack = 50_000

// LookAtCaller finds out what the calling thread, which has it from the runtime's caller, would
// hand on. Each is inherited over fork and execve.
func (p *Plan) LookAtCaller() {
	var attr unix.SchedAttr
	_, _, errno := unix.RawSyscall6(unix.SYS_SCHED_GETATTR, 0, uintptr(unsafe.Pointer(&attr)), unix.SizeofSchedAttr, 0, 0, 0)
	differs := errno == 0 && (attr.Policy != unix.SCHED_NORMAL || attr.Nice != 0)
	p.Inherited.Scheduler = differs && p.Scheduler == nil
	p.Inherited.Nice = differs && p.Scheduler != nil && !p.Scheduler.hasNice()
	if p.IOPriority == 0 {
		value, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, 0, 0)
		class, level := value>>ioprioClassShift, value&(1<<ioprioClassShift-1)
		// Some kernels tell of a thread without a priority what follows from its nice value: best
		// effort, 4.
		p.Inherited.IOPriority = errno == 0 && class != 0 && (class != 2 || level != 4)
	}
	if value, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0); errno == 0 && value != 0 && p.Personality == nil {
		p.Personality = new(uint32)
	}
	slack, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_GET_TIMERSLACK, 0, 0, 0, 0, 0)
	p.Inherited.TimerSlack = errno == 0 && slack != defaultTimerSlack && slack != 0 || // 0: a realtime policy
		thread.MonitorIsCalm() // a thread of ours may have another one than this
	if p.MemoryPolicy == nil {
		var mode int32
		_, _, errno := unix.RawSyscall6(unix.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&mode)), 0, 0, 0, 0, 0)
		p.Inherited.MemoryPolicy = errno == 0 && mode != unix.MPOL_DEFAULT
	}
}

// ResetPriorities takes the caller's scheduling and I/O priority from process pid. The command does
// it, for a process in a user namespace may not. An ordinary user may not either, who then keeps
// what he has (EPERM); nor where a seccomp filter refuses the call (ENOSYS).
func (p *Plan) ResetPriorities(pid int) error {
	if p.Inherited.Scheduler {
		attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}
		_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETATTR, uintptr(pid), uintptr(unsafe.Pointer(&attr)), 0)
		if errno != 0 && errno != unix.EPERM && errno != unix.ENOSYS {
			return fmt.Errorf("reset the scheduler's policy and nice value: %w", errno)
		}
	}
	if p.Inherited.IOPriority {
		_, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(pid), 0)
		if errno != 0 && errno != unix.EPERM && errno != unix.ENOSYS {
			return fmt.Errorf("reset the I/O priority: %w", errno)
		}
	}
	return nil
}

// addResets takes from the process the rest of what it has of the caller, which only it can.
func (p *Plan) addResets(l *calls.List) {
	if p.Inherited.TimerSlack {
		l.Do(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, defaultTimerSlack).Or("prctl PR_SET_TIMERSLACK")
	}
	if p.Inherited.MemoryPolicy {
		l.Do(unix.SYS_SET_MEMPOLICY, unix.MPOL_DEFAULT, 0, 0).Or("reset the memory policy")
	}
}
