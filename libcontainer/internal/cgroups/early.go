package cgroups

import (
	"cmp"
	"strings"
)

// What init needs while it makes the container: memory, threads with those of hooks, and a share of
// a CPU.
const (
	roomMemory = 32 << 20
	roomPids   = 32
	roomCPU    = 0.5

	defaultPeriod = 100000 // the kernel's, in microseconds
)

// shortage tells of which resources the container gets too little for init.
type shortage struct{ memory, pids, cpu bool }

func shortages(l *limits) (s shortage) {
	limit, quota := value(l.Memory.Limit), value(l.CPU.Quota)
	s.memory = limit > 0 && limit < roomMemory
	s.pids = l.Pids.Limit != nil && *l.Pids.Limit >= 0 && *l.Pids.Limit < roomPids
	s.cpu = quota > 0 && float64(quota) < roomCPU*float64(cmp.Or(value(l.CPU.Period), defaultPeriod))
	for _, u := range l.unified {
		value := strings.TrimSpace(u.value)
		switch u.file {
		case "memory.max", "memory.high":
			n := bytesOf(value)
			s.memory = s.memory || n >= 0 && n < roomMemory
		case "pids.max":
			n := limitOf(value)
			s.pids = s.pids || n >= 0 && n < roomPids
		case "cpu.max":
			quota, period, _ := strings.Cut(value, " ")
			n := limitOf(quota)
			p := limitOf(period)
			if p < 0 {
				p = defaultPeriod
			}
			s.cpu = s.cpu || n >= 0 && float64(n) < roomCPU*float64(p)
		}
	}
	return s
}

// late tells whether a file of linux.resources.unified is written when init is ready. Weights are:
// beside busy containers, init could take seconds with a low one. What is to
// happen at a limit isn't itself a limit.
func (s shortage) late(file string) bool {
	controller, _, _ := strings.Cut(file, ".")
	switch {
	case file == "memory.oom.group":
		return true
	case controller == "memory":
		return s.memory
	case controller == "pids":
		return s.pids
	case strings.HasPrefix(file, "cpu.max"):
		return s.cpu
	}
	return controller == "cpu"
}

// split takes out of p.early what doesn't belong there.
func (p *plan) split(s shortage) {
	e, l := p.early, p.late
	p.cpus, e.CPU.Cpus = e.CPU.Cpus, ""
	p.mems, e.CPU.Mems = e.CPU.Mems, ""
	l.CPU.Idle, e.CPU.Idle = e.CPU.Idle, nil
	l.CPU.Shares, e.CPU.Shares = e.CPU.Shares, nil
	if s.pids {
		l.Pids, e.Pids = e.Pids, l.Pids
	}
	if s.cpu {
		l.CPU.Quota, e.CPU.Quota = e.CPU.Quota, nil
		l.CPU.Period, e.CPU.Period = e.CPU.Period, nil
		l.CPU.Burst, e.CPU.Burst = e.CPU.Burst, nil
	}
	if s.memory {
		l.Memory, e.Memory = e.Memory, l.Memory
		return
	}
	l.Memory.DisableOOMKiller, e.Memory.DisableOOMKiller = e.Memory.DisableOOMKiller, nil // init would hang
}

// LateMemory is the memory limit that is not in force before Limit, 0 if there is none.
func (c *Creation) LateMemory() int64 {
	if c.record.Driver == DriverDisabled {
		return 0
	}
	limit := max(value(c.plan.late.Memory.Limit), 0)
	for _, s := range c.plan.late.unified {
		if n := bytesOf(strings.TrimSpace(s.value)); s.file == "memory.max" && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// bytesOf reads a number of bytes as the kernel does, with a suffix of K, M, G, T, P or E, or
// "max", which is -1.
func bytesOf(text string) int64 {
	digits := strings.TrimRight(text, "kKmMgGtTpPeE")
	n := limitOf(digits)
	if suffix := text[len(digits):]; len(suffix) == 1 && n > 0 {
		if shift := 10 * (1 + strings.Index("KMGTPE", strings.ToUpper(suffix))); n <= 1<<(63-shift)-1 {
			return n << shift
		}
		return -1
	}
	return n
}
