package cgroups

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/crash"
	"oci-run/internal/log"
)

func populated(events string) bool { return strings.Contains(events, "populated 1") }

// Destroy removes the container's cgroups and the ones that it made below. It waits for processes
// that are just dying, as long as patience, and kills nothing: with processes in a cgroup, the
// error wraps unix.EBUSY. What doesn't exist is not an error.
func (m *Manager) Destroy(patience time.Duration) error {
	var err, stop error
	if m.record.Driver == DriverSystemd && len(m.record.Hierarchies) > 0 {
		var foreign bool
		if foreign, stop = m.stopUnit(); foreign {
			log.Warn(fmt.Sprintf("systemd unit %q belongs to another container now: it is left alone", m.record.Unit))
			return nil
		}
	}
	deadline := time.Now().Add(patience)
	for i := range m.record.Hierarchies {
		h := &m.record.Hierarchies[i]
		if h.Path == "/" {
			continue
		}
		if rerr := remove(h.Dir(), deadline); rerr != nil && !(m.record.Rootless && denied(rerr)) {
			err = errors.Join(err, rerr)
		}
		crash.Point("removed")
	}
	if stop != nil && err == nil && !m.exists() {
		log.Warn("the cgroup was removed without systemd: " + stop.Error()) // which sees that it is empty
		return nil
	}
	return errors.Join(stop, err)
}

// remove removes a cgroup with all below it.
func remove(dir string, deadline time.Time) error {
	for wait := 50 * time.Microsecond; ; wait = min(2*wait, 10*time.Millisecond) {
		err := unix.Rmdir(dir)
		switch err {
		case nil, unix.ENOENT, unix.ENOTDIR: // the latter: a cgroup's file, or below one
			return nil
		case unix.EINTR:
			continue
		case unix.EBUSY, unix.ENOTEMPTY:
		default:
			if unix.Access(dir, unix.F_OK) == unix.ENOENT { // e.g. EROFS comes before ENOENT
				return nil
			}
			return &fileError{Op: "rmdir", Path: dir, Err: err}
		}
		removed, lerr := removeBelow(dir, deadline)
		if lerr != nil && !gone(lerr) {
			return lerr
		}
		if removed {
			continue
		}
		if time.Now().After(deadline) {
			return &fileError{Op: "rmdir", Path: dir, Err: err}
		}
		time.Sleep(wait)
	}
}

// removeBelow removes the cgroups below one, and tells whether there were any.
func removeBelow(dir string, deadline time.Time) (bool, error) {
	short, done, err := shorten(dir)
	if err != nil {
		return false, err
	}
	defer done()
	below, err := children(short)
	for _, child := range below {
		if err := remove(child, deadline); err != nil {
			return true, err
		}
	}
	return len(below) > 0, err
}
