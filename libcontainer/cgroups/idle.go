package cgroups

import (
	"log/slog"
	"slices"
	"strings"
)

// settleIdle makes sense of cpu.idle together with a weight, which the kernel refuses for an idle cgroup: of both at once, idle
// counts; a weight alone ends being idle. v1's shares may come before idle in one go.
func (m *Manager) settleIdle(l *limits) {
	if m.record.Mode == V2 && l.CpuWeight != 0 && l.CPUIdle != nil && *l.CPUIdle == 1 {
		warnIdle()
		l.CpuWeight = 0
	}
	if l.CpuShares != 0 && l.CPUIdle == nil && m.idle() {
		l.CPUIdle = new(int64)
	}
	idle := slices.IndexFunc(l.unified, func(s setting) bool { return s.file == "cpu.idle" })
	weight := slices.IndexFunc(l.unified, func(s setting) bool { return s.file == "cpu.weight" })
	switch {
	case weight < 0:
	case idle >= 0 && strings.TrimSpace(l.unified[idle].value) == "1":
		warnIdle()
		l.unified = slices.Delete(l.unified, weight, weight+1)
	case idle < 0 && m.idle():
		l.unified = slices.Insert(l.unified, weight, setting{"cpu.idle", "0"})
	}
}

func warnIdle() { slog.Warn("unable to apply both a CPU weight and cpu.idle: the weight is ignored") }

// idle tells whether the container's cgroup is idle now.
func (m *Manager) idle() bool {
	dir := m.Path("cpu")
	if dir == "" {
		return false
	}
	value, err := readFile(dir + "/cpu.idle")
	return err == nil && value == "1"
}
