package cgroups

import (
	"cmp"
	"strings"

	lib "github.com/opencontainers/cgroups"
)

// What init needs while it makes the container: memory, threads with those of hooks, and a share of a CPU.
const (
	roomMemory = 32 << 20
	roomPids   = 32
	roomCPU    = 0.5

	defaultPeriod = 100000 // the kernel's, in microseconds
)

// shortage tells of which resources the container gets too little for init.
type shortage struct{ memory, pids, cpu bool }

func shortages(r *lib.Resources, unified []setting) (s shortage) {
	s.memory = r.Memory > 0 && r.Memory < roomMemory
	s.pids = r.PidsLimit != nil && *r.PidsLimit >= 0 && *r.PidsLimit < roomPids
	s.cpu = r.CpuQuota > 0 && float64(r.CpuQuota) < roomCPU*float64(cmp.Or(r.CpuPeriod, defaultPeriod))
	for _, u := range unified {
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

// late tells whether a file of linux.resources.unified is written when init is ready. Weights are: beside busy containers,
// init could take seconds with a low one. What is to happen at a limit is no limit.
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
	e, l := &p.early.Resources, &p.late.Resources
	p.cpus, e.CpusetCpus = e.CpusetCpus, ""
	p.mems, e.CpusetMems = e.CpusetMems, ""
	l.CPUIdle, e.CPUIdle = e.CPUIdle, nil
	l.CpuShares, e.CpuShares = e.CpuShares, 0
	l.CpuWeight, e.CpuWeight = e.CpuWeight, 0
	l.OomKillDisable, e.OomKillDisable = e.OomKillDisable, false // init would hang
	if s.pids {
		l.PidsLimit, e.PidsLimit = e.PidsLimit, nil
	}
	if s.cpu {
		l.CpuQuota, e.CpuQuota = e.CpuQuota, 0
		l.CpuPeriod, e.CpuPeriod = e.CpuPeriod, 0
		l.CpuBurst, e.CpuBurst = e.CpuBurst, nil
	}
	if s.memory {
		l.Memory, e.Memory = e.Memory, 0
		l.MemorySwap, e.MemorySwap = e.MemorySwap, 0
		l.MemoryReservation, e.MemoryReservation = e.MemoryReservation, 0
		l.MemorySwappiness, e.MemorySwappiness = e.MemorySwappiness, nil
	}
}

// LateMemory is the memory limit that is not in force before Limit, 0 if there is none.
func (m *Manager) LateMemory() int64 {
	if m.plan == nil || m.record.Driver == DriverDisabled {
		return 0
	}
	limit := max(m.plan.late.Memory, 0)
	for _, s := range m.plan.late.unified {
		if n := bytesOf(strings.TrimSpace(s.value)); s.file == "memory.max" && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// bytesOf reads a number of bytes as the kernel does, with a suffix of K, M, G, T, P or E, or "max", which is -1.
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
