package process

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/spelling"
	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

// Scheduler is what sched_setattr(2) gets, and whether the container's cpuset is limited.
type Scheduler struct {
	Attr unix.SchedAttr
	CPUs bool
}

// schedulerPolicies holds each policy's name at its number (include/uapi/linux/sched.h).
var schedulerPolicies = [...]string{
	unix.SCHED_NORMAL:   string(specs.SchedOther),
	unix.SCHED_FIFO:     string(specs.SchedFIFO),
	unix.SCHED_RR:       string(specs.SchedRR),
	unix.SCHED_BATCH:    string(specs.SchedBatch),
	4:                   string(specs.SchedISO), // SCHED_ISO is reserved: the kernel knows the number and refuses it
	unix.SCHED_IDLE:     string(specs.SchedIdle),
	unix.SCHED_DEADLINE: string(specs.SchedDeadline),
}

// schedulerFlags holds each flag's name at the number of its bit.
var schedulerFlags = [...]string{
	string(specs.SchedFlagResetOnFork),
	string(specs.SchedFlagReclaim),
	string(specs.SchedFlagDLOverrun),
	string(specs.SchedFlagKeepPolicy),
	string(specs.SchedFlagKeepParams),
	string(specs.SchedFlagUtilClampMin),
	string(specs.SchedFlagUtilClampMax),
}

func planScheduler(plan *Plan, p *specs.Process, spec *specs.Spec, at string) error {
	s := p.Scheduler
	if s == nil {
		return nil
	}
	at += "/scheduler"
	policy := index(schedulerPolicies[:], string(s.Policy))
	if policy < 0 {
		return specconv.Fieldf(at+"/policy", "invalid scheduler policy %q%s", s.Policy, spelling.Hint(string(s.Policy), schedulerPolicies[:]))
	}
	var flags uint64
	for i, name := range s.Flags {
		bit := index(schedulerFlags[:], string(name))
		if bit < 0 {
			return specconv.Fieldf(at+specconv.Pointer("flags", i), "invalid scheduler flag %q%s", name,
				spelling.Hint(string(name), schedulerFlags[:]))
		}
		flags |= 1 << bit
	}
	if err := checkScheduler(s, policy, at); err != nil {
		return err
	}
	plan.Scheduler = &Scheduler{
		Attr: unix.SchedAttr{
			Size: unix.SizeofSchedAttr, Policy: uint32(policy), Flags: flags, Nice: s.Nice, Priority: uint32(s.Priority),
			Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
		},
		CPUs: spec.Linux != nil && spec.Linux.Resources != nil && spec.Linux.Resources.CPU != nil && spec.Linux.Resources.CPU.Cpus != "",
	}
	return nil
}

// checkScheduler holds which values go with which policy (sched(7), sched_setattr(2)).
func checkScheduler(s *specs.Scheduler, policy int, at string) error {
	normal := policy == unix.SCHED_NORMAL || policy == unix.SCHED_BATCH
	realtime := policy == unix.SCHED_FIFO || policy == unix.SCHED_RR
	deadline := policy == unix.SCHED_DEADLINE
	switch {
	case normal && (s.Nice < -20 || s.Nice > 19):
		return specconv.Fieldf(at+"/nice", "%d is not between -20 and 19", s.Nice)
	case realtime && (s.Priority < 1 || s.Priority > 99):
		return specconv.Fieldf(at+"/priority", "%d is not between 1 and 99, as %s wants", s.Priority, s.Policy)
	case !realtime && s.Priority != 0:
		return specconv.Fieldf(at+"/priority", "a priority goes with SCHED_FIFO and SCHED_RR only, not with %s", s.Policy)
	case !deadline && (s.Runtime != 0 || s.Deadline != 0 || s.Period != 0):
		return specconv.Fieldf(at, "runtime, deadline and period go with SCHED_DEADLINE only, not with %s", s.Policy)
	case deadline && s.Runtime == 0:
		return specconv.Fieldf(at+"/runtime", "SCHED_DEADLINE wants a runtime")
	case deadline && (s.Runtime > s.Deadline || s.Period != 0 && s.Deadline > s.Period):
		return specconv.Fieldf(at, "SCHED_DEADLINE requires runtime ≤ deadline ≤ period, not %d, %d, %d", s.Runtime, s.Deadline, s.Period)
	}
	return nil
}

// hasNice tells whether the policy is one that sets the nice value (sched_setattr(2)). With another
// one, it has an effect on what the process forks, or after a change of policy.
func (s *Scheduler) hasNice() bool {
	return s.Attr.Policy == unix.SCHED_NORMAL || s.Attr.Policy == unix.SCHED_BATCH
}

// Inherited tells whether the child of a thread with the scheduler has it too.
func (s *Scheduler) Inherited() bool {
	return s.Attr.Policy != unix.SCHED_DEADLINE && s.Attr.Flags&unix.SCHED_FLAG_RESET_ON_FORK == 0
}

// AddScheduler sets the scheduling policy of a process, of the calling thread if pid is 0. A thread
// of SCHED_DEADLINE without SCHED_FLAG_RESET_ON_FORK can't fork any more (sched(7)).
func (p *Plan) AddScheduler(l *calls.List, pid int) {
	if p.Inherited.Nice { // as ResetPriorities does where there is no policy to set: without CAP_SYS_NICE it stays
		normal := calls.Struct(l, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL})
		reset := l.Do(unix.SYS_SCHED_SETATTR, uintptr(pid), normal, 0).Or("reset the scheduler's policy and nice value")
		reset.Expect = []unix.Errno{unix.EPERM, unix.ENOSYS}
	}
	if p.Scheduler != nil {
		l.Do(unix.SYS_SCHED_SETATTR, uintptr(pid), calls.Struct(l, &p.Scheduler.Attr), 0).Explain = func(errno unix.Errno) error {
			return specconv.Field(p.At+"/scheduler", p.Scheduler.failure(errno))
		}
	}
}

func (s *Scheduler) failure(errno unix.Errno) error {
	policy := schedulerPolicies[s.Attr.Policy]
	if errno == unix.EPERM && s.CPUs && s.Attr.Policy == unix.SCHED_DEADLINE { // whose threads must have every CPU
		return fmt.Errorf("process scheduler can't be used together with AllowedCPUs: set scheduler %s: %w", policy, errno)
	}
	return fmt.Errorf("set scheduler %s: %w", policy, errno)
}
