package process

import (
	"oci-run/libcontainer/internal/calls"
)

// AddPriorities adds what does not depend on the user: CPU affinity, what the caller had of
// priorities, scheduler, I/O priority, memory policy and personality. A process that will clone the
// one that matters, for an exec, has CPUs of its own, and leaves a scheduler that its child would
// not have to the parent.
func (p *Plan) AddPriorities(l *calls.List, exec bool) {
	if exec {
		p.AddExecAffinity(l, 0)
	} else {
		addAffinityReset(l, 0)
	}
	p.addResets(l)
	if !exec || p.Scheduler != nil && p.Scheduler.Inherited() {
		p.AddScheduler(l, 0)
	}
	p.addIOPriority(l)
	p.addMemoryPolicy(l)
	p.addPersonality(l)
}
