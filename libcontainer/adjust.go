package libcontainer

import (
	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/process"
)

// adjust does for process pid what it may not do to itself in a user namespace: priorities that it
// has of the caller are reset, and its oom score is set.
func adjust(p *process.Plan, pid int) error {
	if err := p.ResetPriorities(pid); err != nil {
		return err
	}
	if p.OOMScoreAdj == nil {
		return nil
	}
	proc, err := files.Open("/proc", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer proc.Close()
	return calls.Here(func(l *calls.List) { p.AddOOMScore(l, int(proc.Fd()), pid) })
}
