package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
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
// like a zombie, but has others that run. An error says that it can't be known: only the
// kernel's word that there is no such process means that it is gone.
func (p Process) Alive() (bool, error) {
	if p.PID <= 0 {
		return false, nil
	}
	fields, err := statFields(p.PID)
	switch {
	case errors.Is(err, unix.ESRCH): // it has ended since the open
		return false, nil
	case errors.Is(err, unix.ENOENT):
		return false, p.hidden(err)
	case err != nil:
		return false, err
	}
	return p.runs(fields), nil
}

// runs tells what Alive does from the fields of its /proc/PID/stat.
func (p Process) runs(fields [][]byte) bool {
	status, threads := fields[0][0], string(fields[17])
	return p.began(fields) && status != 'X' && (status != 'Z' || threads != "1" && threads != "0")
}

// began tells whether the fields are those of this process, and not of another with its pid.
func (p Process) began(fields [][]byte) bool {
	return string(fields[19]) == strconv.FormatUint(p.StartTime, 10)
}

// hidden returns an error, because of missing, if there is a process of ours with the pid that
// /proc doesn't show: it is not mounted, or hides other users' processes (hidepid, proc(5)).
func (p Process) hidden(missing error) error {
	fd, err := p.PidFD()
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err == nil {
		defer unix.Close(fd)
		err = unix.PidfdSendSignal(fd, 0, nil, 0)
	}
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EPERM): // EPERM: it is another user's, so not the one that we look for
		return nil
	case err != nil:
		return fmt.Errorf("look for process %d: %w", p.PID, err)
	}
	return fmt.Errorf("process %d exists, but \"/proc\" does not show it: %w", p.PID, missing)
}

// PidFD opens a pidfd of whatever process has the pid by now: only Alive, asked afterwards, tells
// whether it is this one. ESRCH says that there is none. The kernel has other words for that where
// the pid still names a process group or a session whose leader is gone (EINVAL with Linux 6.12),
// or a thread (EINVAL, and ENOENT with Linux 6.18).
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
	raw, err := files.Read(path)
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
	raw, err := files.Read("/proc/" + strconv.Itoa(p.PID) + "/stat")
	if err != nil {
		return false
	}
	first, last := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	return first >= 0 && first < last && string(raw[first+1:last]) == name
}

// Leaderless tells whether the process has lost its first thread, which only the others keep from
// ending. It is false where that can't be known.
func (p Process) Leaderless() bool {
	fields, err := statFields(p.PID)
	return err == nil && fields[0][0] == 'Z' && p.runs(fields)
}

// Ended tells how a process ended that nobody has reaped yet, as wait(2) would, proc(5)
// field 52. ok is false if it runs or is gone, or if we may not see it.
func (p Process) Ended() (status syscall.WaitStatus, ok bool) {
	fields, err := statFields(p.PID)
	if err != nil || len(fields) < 50 || string(fields[0]) != "Z" || p.runs(fields) || !p.began(fields) {
		return 0, false
	}
	code, err := strconv.ParseUint(string(fields[49]), 10, 32)
	if err != nil || code == 0 && !p.legible() {
		return 0, false
	}
	return syscall.WaitStatus(code), true
}

// legible tells whether /proc/PID/stat shows us all of an ended process. To whom ptrace(2) would
// not let read it, field 52 is 0, as if it had ended well: to a user that of an init that has not
// executed its program, on kernels that remember of the dead that they were not dumpable. A link of
// /proc/PID/ns asks the same question.
func (p Process) legible() bool {
	var buf [64]byte
	if _, err := unix.Readlink("/proc/"+strconv.Itoa(p.PID)+"/ns/user", buf[:]); err != nil {
		return false
	}
	fields, err := statFields(p.PID) // it was its link, if it is there still
	return err == nil && p.began(fields)
}
