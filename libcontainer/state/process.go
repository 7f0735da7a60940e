package state

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/linux"
)

// Self identifies the calling process.
func Self() (Process, error) { return Identify(os.Getpid()) }

// Identify reads the start time of a process.
func Identify(pid int) (Process, error) {
	fields, err := statFields(pid)
	if err != nil {
		return Process{PID: pid}, err
	}
	start, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return Process{PID: pid}, fmt.Errorf("parse \"/proc/%d/stat\": %w", pid, err)
	}
	return Process{PID: pid, StartTime: start}, nil
}

// Alive tells whether the process still runs: a zombie does not, and neither does
// another process that got the same pid later. One whose first thread has ended looks
// like a zombie, but has others that run.
func (p Process) Alive() bool {
	if p.PID <= 0 {
		return false
	}
	fields, err := statFields(p.PID)
	if err != nil || string(fields[19]) != strconv.FormatUint(p.StartTime, 10) {
		return false
	}
	status, threads := fields[0][0], string(fields[17])
	return status != 'X' && (status != 'Z' || threads != "1" && threads != "0")
}

// PidFD opens a pidfd of whatever process has the pid by now: only Alive, asked afterwards, tells whether it is this one.
// ESRCH says that there is none. The kernel has other words for that where the pid still names a process group or a
// session whose leader is gone (EINVAL with Linux 6.12), or a thread (EINVAL, and ENOENT with Linux 6.18).
func (p Process) PidFD() (int, error) {
	if p.PID <= 0 {
		return -1, unix.ESRCH
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	switch err {
	case nil:
		return fd, nil
	case unix.EINVAL, unix.ENOENT:
		err = unix.ESRCH
	}
	return -1, err
}

// statFields reads /proc/PID/stat, proc(5), from field 3 on, at least to field 22. The
// command in field 2 may hold any byte, so fields count from its last ")".
func statFields(pid int) ([][]byte, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	raw, err := linux.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(fields) < 20 {
		return nil, fmt.Errorf("parse %q: %d fields", path, len(fields))
	}
	return fields, nil
}

// Named tells whether the process, or what is left of it, has this name (comm, proc(5)).
func (p Process) Named(name string) bool {
	raw, err := linux.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/stat")
	if err != nil {
		return false
	}
	first, last := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	return first >= 0 && first < last && string(raw[first+1:last]) == name
}

// Leaderless tells whether the process has lost its first thread, which only the others keep from ending.
func (p Process) Leaderless() bool {
	fields, err := statFields(p.PID)
	return err == nil && fields[0][0] == 'Z' && p.Alive()
}

// Ended tells how a process ended that nobody has reaped yet, as wait(2) would, proc(5)
// field 52. ok is false if it runs or is gone, or if we may not see it.
func (p Process) Ended() (status syscall.WaitStatus, ok bool) {
	fields, err := statFields(p.PID)
	if err != nil || len(fields) < 50 || string(fields[0]) != "Z" || p.Alive() || string(fields[19]) != strconv.FormatUint(p.StartTime, 10) {
		return 0, false
	}
	code, err := strconv.ParseUint(string(fields[49]), 10, 32)
	return syscall.WaitStatus(code), err == nil
}
