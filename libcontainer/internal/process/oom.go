package process

import (
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

func planOOMScore(plan *Plan, p *specs.Process, _ *specs.Spec, at string) error {
	if p.OOMScoreAdj == nil {
		return nil
	}
	if v := *p.OOMScoreAdj; v < -1000 || v > 1000 {
		return specconv.Fieldf(at+"/oomScoreAdj", "%d is not between -1000 and 1000", v)
	}
	plan.OOMScoreAdj = p.OOMScoreAdj
	return nil
}

// AddOOMScore writes oom_score_adj of process pid, or of the calling one if pid is 0. proc is a
// directory fd of the procfs that knows the pid. Without a value in the config nothing is written
// (the spec's MUST NOT). A process that has changed its credentials, and so is not dumpable, can't
// write its own; the parent can. There is no fallback for a value that the kernel refuses: going
// below the inherited value needs CAP_SYS_RESOURCE (proc_pid_oom_score_adj(5)), and runc fails as
// well.
func (p *Plan) AddOOMScore(l *calls.List, proc, pid int) {
	if p.OOMScoreAdj == nil {
		return
	}
	name := "self/oom_score_adj"
	if pid != 0 {
		name = strconv.Itoa(pid) + "/oom_score_adj"
	}
	value := strconv.Itoa(*p.OOMScoreAdj)
	open := l.OpenInProc(proc, name, unix.O_WRONLY)
	write := l.On(open.Result, unix.SYS_WRITE, l.Text(value), uintptr(len(value)))
	for _, c := range []*calls.Call{open, write} {
		c.Explain = func(errno unix.Errno) error {
			hint := ""
			if now, _ := readFile(proc, name); isPermission(errno) && lower(value, now) {
				hint = " (going below the inherited value needs CAP_SYS_RESOURCE)"
			}
			return specconv.Fieldf(p.At+"/oomScoreAdj", "write %q to /proc/%s: %w%s", value, name, errno, hint)
		}
	}
	l.On(open.Result, unix.SYS_CLOSE)
}

// lower tells whether a score is below the one that a file says.
func lower(value, now string) bool {
	asked, _ := strconv.Atoi(value)
	has, err := strconv.Atoi(strings.TrimSpace(now))
	return err == nil && asked < has
}
