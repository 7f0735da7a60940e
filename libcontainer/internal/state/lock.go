package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/trace"
)

// lockTimeout is how long Lock waits for another command. A hook of a container may make its
// command hang for ever.
const lockTimeout = 10 * time.Second

// heldError says that somebody else holds a container's lock.
type heldError struct {
	ID     string
	Holder string        // the process, as a person may look for it
	Waited time.Duration // for the lock
}

// Error gives `lock container "c1": held for more than 10s by process 17 ("oci-run start c1")`.
func (e *heldError) Error() string {
	text := fmt.Sprintf("lock container %q: held ", e.ID)
	if e.Waited > 0 {
		text += fmt.Sprintf("for more than %s ", e.Waited)
	}
	return text + "by " + e.Holder
}

// Unwrap gives what flock(2) said.
func (e *heldError) Unwrap() error { return unix.EWOULDBLOCK }

// Lock opens the directory of an existing container and waits for its lock, for a limited time.
func Lock(root, id string) (*Dir, error) { return lock(root, id, lockTimeout) }

// TryLock is Lock for callers that do not want to wait: its error wraps unix.EWOULDBLOCK if
// another command holds the lock.
func TryLock(root, id string) (*Dir, error) { return lock(root, id, 0) }

// LockWithin is Lock for callers that wait less. Its error wraps unix.EWOULDBLOCK as well.
func LockWithin(root, id string, patience time.Duration) (*Dir, error) {
	return lock(root, id, patience)
}

func lock(root, id string, patience time.Duration) (*Dir, error) {
	d, err := Open(root, id)
	if err != nil {
		return nil, err
	}
	span := trace.Begin("wait for the lock")
	span.Set("path", d.path)
	err = d.flock(patience)
	span.End(err)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = &heldError{ID: id, Holder: d.holder(patience), Waited: patience}
		d.Close()
		return nil, err
	}
	if err == nil {
		err = d.linked()
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("lock container %q: %w", id, err)
	}
	d.locked = true
	return d, nil
}

// Linked returns ErrNotExist if the directory doesn't stand under its name any more. Even under the
// lock it may not: a forced delete does not wait for that for ever.
func (d *Dir) Linked() error { return d.linked() }

// flock takes the lock. Most find it free, so that a wait needs not be woken at once.
func (d *Dir) flock(patience time.Duration) error {
	var deadline time.Time
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 10*time.Millisecond) {
		err := unix.Flock(int(d.dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == unix.EINTR:
			continue
		case err != unix.EWOULDBLOCK || patience == 0:
			return err
		case deadline.IsZero():
			deadline = time.Now().Add(patience)
		case time.Now().After(deadline):
			return err
		}
		time.Sleep(wait)
	}
}

// held tells whether somebody else holds the lock.
func (d *Dir) held() (bool, error) {
	for {
		err := unix.Flock(int(d.dir.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		if err == nil {
			err = unix.Flock(int(d.dir.Fd()), unix.LOCK_UN)
		}
		switch err {
		case unix.EINTR:
			continue
		case unix.EWOULDBLOCK:
			return true, nil
		case nil:
			return false, nil
		}
		return false, fmt.Errorf("lock %q: %w", d.path, err)
	}
}

// holder names the process that holds the lock: the kernel tells that of each open file, in
// /proc/PID/fdinfo, also if the file was inherited from who took the lock. Who does not wait
// does not care.
func (d *Dir) holder(patience time.Duration) string {
	const unknown = "another process"
	if patience == 0 {
		return unknown
	}
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(d.dir.Fd())))
	if err != nil {
		return unknown
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return unknown
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && holdsLock(pid, name) {
			return fmt.Sprintf("process %d (%q)", pid, commandLine(pid))
		}
	}
	return unknown
}

// holdsLock tells whether a process has an open file of this name with a lock on it. Whose
// files can't be looked at has none.
func holdsLock(pid int, name string) bool {
	proc := "/proc/" + strconv.Itoa(pid)
	fds, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if link, err := os.Readlink(proc + "/fd/" + fd.Name()); err != nil || link != name {
			continue
		}
		info, err := files.Read(proc + "/fdinfo/" + fd.Name())
		if err == nil && bytes.Contains(info, []byte("FLOCK")) {
			return true
		}
	}
	return false
}

// commandLine is how a process was called, as far as it fits into a message.
func commandLine(pid int) string {
	const longest = 200
	raw, err := files.Read("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	line := bytes.ReplaceAll(bytes.TrimRight(raw, "\x00"), []byte{0}, []byte{' '})
	if len(line) > longest {
		line = append(line[:longest:longest], "…"...)
	}
	return string(line)
}
