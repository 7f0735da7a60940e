package process

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
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

// SetOOMScore writes oom_score_adj of process pid, or of the calling one if pid is 0. proc is a
// directory fd of the procfs that knows the pid. Without a value in the config nothing is written
// (the spec's MUST NOT). A process that has changed its credentials, and so is not dumpable, can't
// write its own; the parent can. There is no fallback for a value that the kernel refuses: going
// below the inherited value needs CAP_SYS_RESOURCE (proc_pid_oom_score_adj(5)), and runc fails as
// well.
func (p *Plan) SetOOMScore(proc, pid int) error {
	if p.OOMScoreAdj == nil {
		return nil
	}
	name := "self/oom_score_adj"
	if pid != 0 {
		name = strconv.Itoa(pid) + "/oom_score_adj"
	}
	value := strconv.Itoa(*p.OOMScoreAdj)
	err := writeFile(proc, name, value)
	if err == nil {
		return nil
	}
	hint := ""
	if now, _ := readFile(proc, name); isPermission(err) && lower(value, now) {
		hint = " (going below the inherited value needs CAP_SYS_RESOURCE)"
	}
	return fmt.Errorf("write %q to /proc/%s: %w%s", value, name, err, hint)
}

// lower tells whether a score is below the one that a file says.
func lower(value, now string) bool {
	asked, _ := strconv.Atoi(value)
	has, err := strconv.Atoi(strings.TrimSpace(now))
	return err == nil && asked < has
}

// writeFile writes value to an existing file below the directory fd dir, without following magic
// links or crossing mounts.
func writeFile(dir int, name, value string) error {
	fd, err := linux.Openat2(dir, name, unix.O_WRONLY, 0, inProcfs)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}
