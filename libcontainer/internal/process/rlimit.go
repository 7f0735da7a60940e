package process

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/spelling"
	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

// Rlimit is one resource limit. Resource is an index of rlimitNames; Soft and Hard are as for
// prlimit(2), all bits set is infinity.
type Rlimit struct {
	Resource   int
	Soft, Hard uint64
}

// String gives name, soft and hard limit: "RLIMIT_NOFILE 1024 unlimited".
func (l Rlimit) String() string {
	text := func(n uint64) string {
		if n == math.MaxUint64 {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	return rlimitNames[l.Resource] + " " + text(l.Soft) + " " + text(l.Hard)
}

// rlimitNames holds each resource's name at its number (getrlimit(2)).
var rlimitNames = [...]string{
	unix.RLIMIT_CPU:        "RLIMIT_CPU",
	unix.RLIMIT_FSIZE:      "RLIMIT_FSIZE",
	unix.RLIMIT_DATA:       "RLIMIT_DATA",
	unix.RLIMIT_STACK:      "RLIMIT_STACK",
	unix.RLIMIT_CORE:       "RLIMIT_CORE",
	unix.RLIMIT_RSS:        "RLIMIT_RSS",
	unix.RLIMIT_NPROC:      "RLIMIT_NPROC",
	unix.RLIMIT_NOFILE:     "RLIMIT_NOFILE",
	unix.RLIMIT_MEMLOCK:    "RLIMIT_MEMLOCK",
	unix.RLIMIT_AS:         "RLIMIT_AS",
	unix.RLIMIT_LOCKS:      "RLIMIT_LOCKS",
	unix.RLIMIT_SIGPENDING: "RLIMIT_SIGPENDING",
	unix.RLIMIT_MSGQUEUE:   "RLIMIT_MSGQUEUE",
	unix.RLIMIT_NICE:       "RLIMIT_NICE",
	unix.RLIMIT_RTPRIO:     "RLIMIT_RTPRIO",
	unix.RLIMIT_RTTIME:     "RLIMIT_RTTIME",
}

func planRlimits(plan *Plan, p *specs.Process, _ *specs.Spec, at string) error {
	for i, limit := range p.Rlimits {
		n := index(rlimitNames[:], limit.Type)
		if n < 0 {
			return specconv.Fieldf(at+specconv.Pointer("rlimits", i, "type"), "invalid rlimit type %q%s", limit.Type,
				spelling.Hint(limit.Type, rlimitNames[:]))
		}
		plan.Rlimits = append(plan.Rlimits, Rlimit{Resource: n, Soft: limit.Soft, Hard: limit.Hard})
	}
	return nil
}

// AddRlimits sets the limits of process pid, or of the calling process if pid is 0. The parent must
// do it for a process in another user namespace: raising a hard limit asks for CAP_SYS_RESOURCE in
// the initial one (prlimit(2)).
func (p *Plan) AddRlimits(l *calls.List, pid int) {
	for i := range p.Rlimits {
		limit := &p.Rlimits[i]
		set := l.Do(unix.SYS_PRLIMIT64, uintptr(pid), uintptr(limit.Resource), l.Words(limit.Soft, limit.Hard))
		set.Explain = func(errno unix.Errno) error {
			return specconv.Field(p.At+specconv.Pointer("rlimits", i), limit.failure(pid, errno))
		}
	}
}

// AddNproc raises the hard RLIMIT_NPROC as far as limit, nil for none, needs it: limit itself is
// set only when the change of user is over, which it would hinder.
func AddNproc(l *calls.List, limit *unix.Rlimit) {
	var old unix.Rlimit
	if limit == nil || unix.Getrlimit(unix.RLIMIT_NPROC, &old) != nil || limit.Max <= old.Max {
		return
	}
	l.Do(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NPROC, l.Words(old.Cur, limit.Max)).Or("raise RLIMIT_NPROC to %d", limit.Max)
}

// failure explains why the limit of process pid, 0 for the caller or a child that has its limits,
// could not be set.
func (l *Rlimit) failure(pid int, err error) error {
	var old unix.Rlimit
	hint := ""
	switch most, rerr := files.Read("/proc/sys/fs/nr_open"); {
	case !errors.Is(err, unix.EPERM):
	case rerr == nil && l.Resource == unix.RLIMIT_NOFILE && l.Hard > number(most):
		hint = fmt.Sprintf(" (no process may have more than fs.nr_open, %d)", number(most))
	case unix.Prlimit(pid, l.Resource, nil, &old) == nil && l.Hard > old.Max:
		hint = fmt.Sprintf(" (the hard limit is %s, only CAP_SYS_RESOURCE can raise it)", limitString(old.Max))
	}
	return fmt.Errorf("set %s to soft %s, hard %s: %w%s", rlimitNames[l.Resource], limitString(l.Soft), limitString(l.Hard), err, hint)
}

// number reads a number from a file of the kernel. It is the greatest there is if it can't be.
func number(text []byte) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return unix.RLIM_INFINITY
	}
	return n
}

func limitString(v uint64) string {
	if v == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return fmt.Sprint(v)
}

// restoreNofile undoes what the Go runtime did to this process before main: it raised the soft
// RLIMIT_NOFILE to the hard one (go.dev/issue/46279). Go gives the original back only to programs
// that it starts itself, by os/exec or syscall.Exec, and has no way to ask for it. So this asks for
// an exec that can't succeed, of an empty path (ENOENT): syscall.Exec restores the limit before
// that, for good.
func restoreNofile() {
	_ = syscall.Exec("", []string{""}, nil)
}

// minFiles is how many files oci-run has open at once when it makes a container, and some more.
// With less it would fail somewhere on the way, and could not even open what is to be removed then.
const minFiles = 20

// CallerNofile returns the RLIMIT_NOFILE that this process was started with, which init shall get.
// The process keeps the higher one: in the middle of a create it may have more files open than its
// caller's limit allows. With a hard limit above fs.nr_open nobody can change the soft one, neither
// Go nor we.
func CallerNofile() (unix.Rlimit, error) {
	var raised, callers unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		return callers, fmt.Errorf("get RLIMIT_NOFILE: %w", err)
	}
	if raised.Cur < minFiles {
		return callers, fmt.Errorf("RLIMIT_NOFILE, %d, is too low for oci-run itself, which needs %d", raised.Cur, minFiles)
	}
	restoreNofile()
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &callers); err != nil {
		return callers, fmt.Errorf("get RLIMIT_NOFILE: %w", err)
	}
	if callers == raised {
		return callers, nil
	}
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &raised, nil); err != nil {
		return callers, fmt.Errorf("raise RLIMIT_NOFILE again: %w", err)
	}
	return callers, nil
}

// AddNofile gives the calling process, and the programs that it starts, the RLIMIT_NOFILE that the
// parent was started with. It stands at init's own start, before AddRlimits. Where nobody can
// change it, see [CallerNofile], it still is that.
func (p *Plan) AddNofile(l *calls.List) {
	var now unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &now) != nil || now != p.CallerNofile {
		l.Do(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, l.Words(p.CallerNofile.Cur, p.CallerNofile.Max)).Or("set RLIMIT_NOFILE to the caller's")
	}
}

// index returns where name stands in table, or -1.
func index(table []string, name string) int {
	for i := range table {
		if table[i] == name && name != "" {
			return i
		}
	}
	return -1
}
