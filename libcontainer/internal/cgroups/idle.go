package cgroups

import (
	"slices"
	"strings"

	"oci-run/internal/log"
)

// settleIdle makes sense of cpu.idle together with a weight, which the kernel refuses for an idle
// cgroup: of both at once, idle counts; a weight alone ends being idle.
func (a *applier) settleIdle(l *limits) {
	switch idle := l.CPU.Idle; {
	case value(l.CPU.Shares) == 0:
	case idle == nil && a.idle():
		l.CPU.Idle = new(int64)
	case value(idle) == 1 && (a.record.Mode == V2 || a.idle()):
		warnIdle()
		l.CPU.Shares = nil
	}
	idle := slices.IndexFunc(l.unified, func(s setting) bool { return s.file == "cpu.idle" })
	weight := slices.IndexFunc(l.unified, func(s setting) bool { return s.file == "cpu.weight" })
	switch {
	case weight < 0:
	case idle >= 0 && strings.TrimSpace(l.unified[idle].value) == "1":
		warnIdle()
		l.unified = slices.Delete(l.unified, weight, weight+1)
	case idle < 0 && a.idle():
		l.unified = slices.Insert(l.unified, weight, setting{"cpu.idle", "0"})
	}
}

func warnIdle() { log.Warn("unable to apply both a CPU weight and cpu.idle: the weight is ignored") }

// idle tells whether the container's cgroup is idle now.
func (a *applier) idle() bool {
	dir := a.Path("cpu")
	if dir == "" {
		return false
	}
	value, err := readFile(dir + "/cpu.idle")
	return err == nil && value == "1"
}
