package cgroups

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrGone is returned when the container's cgroup no longer has a process, or doesn't exist.
var ErrGone = errors.New("the container's cgroup is gone")

// OOMWatch waits for the kernel's out-of-memory killer.
type OOMWatch struct {
	m      *meter
	event  int    // v1: eventfd registered with cgroup.event_control, or -1
	memory notice // v2: memory.events, if the controller is enabled there
	events notice // cgroup.events, if there is a unified hierarchy
	kills  uint64 // v2: seen so far
}

// notice is a file of cgroup v2 whose changes are waited for with POLLPRI. What clears POLLPRI is a
// read of the very descriptor that is polled (kernfs_seq_show): a poll of a file that is read
// through another one returns at once, forever.
type notice struct {
	fd   int // -1: there is no such file
	path string
}

// openNotice opens a file. If there is none, the notice never comes.
func openNotice(path string) (notice, error) {
	fd, err := openFile(unix.AT_FDCWD, path, unix.O_RDONLY)
	if err != nil && gone(err) {
		err = nil
	}
	return notice{fd, path}, err
}

func (n *notice) open() bool { return n.fd >= 0 }

// read gives the file's content, and makes the next poll wait for a change of it.
func (n *notice) read() (string, error) { return readFrom(n.fd, n.path) }

func (n *notice) pollFd() unix.PollFd { return unix.PollFd{Fd: int32(n.fd), Events: unix.POLLPRI} }

// WatchOOM starts to look for out-of-memory kills in the container's cgroup. The caller closes the
// watch.
func (m *meter) WatchOOM() (*OOMWatch, error) {
	w := &OOMWatch{m: m, event: -1, memory: notice{fd: -1}, events: notice{fd: -1}}
	err := w.open()
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *OOMWatch) open() (err error) {
	if dir := w.m.Path(""); dir != "" {
		if w.events.fd, err = openFile(unix.AT_FDCWD, dir+"/cgroup.events", unix.O_RDONLY); err != nil {
			return err
		}
		w.events.path = dir + "/cgroup.events"
	}
	dir := w.m.Path("memory")
	switch {
	case dir == "":
		return nil
	case w.m.record.Mode != V2:
		w.event, err = eventfd1(dir)
		return err
	}
	if w.memory, err = openNotice(dir + "/" + w.m.memoryEventsFile()); err == nil && w.memory.open() {
		w.kills, err = w.readKills()
	}
	return err
}

// eventfd1 registers an eventfd for out-of-memory notices
// (Documentation/admin-guide/cgroup-v1/memory.rst, 10).
func eventfd1(dir string) (int, error) {
	control, err := openFile(unix.AT_FDCWD, dir+"/memory.oom_control", unix.O_RDONLY)
	if err != nil {
		return -1, err
	}
	defer unix.Close(control)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, fmt.Errorf("eventfd: %w", err)
	}
	if err := writeFile(dir+"/cgroup.event_control", fmt.Sprintf("%d %d", fd, control)); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Close ends the watch.
func (w *OOMWatch) Close() {
	for _, fd := range []*int{&w.event, &w.memory.fd, &w.events.fd} {
		if *fd >= 0 {
			unix.Close(*fd)
		}
		*fd = -1
	}
}

// Wait returns true as soon as processes of the container ran out of memory since the last call,
// and false at the deadline. The error is ErrGone once no process is left in the container.
func (w *OOMWatch) Wait(deadline time.Time) (oom bool, err error) {
	for {
		if oom, err := w.look(); oom || err != nil {
			return oom, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		fds := [...]unix.PollFd{{Fd: int32(w.event), Events: unix.POLLIN}, w.memory.pollFd(), w.events.pollFd()}
		if !w.events.open() { // v1 alone gives no notice of the last process' end
			left = min(left, 500*time.Millisecond)
		}
		ms := min(left.Milliseconds()+1, math.MaxInt32)
		if _, err := unix.Poll(fds[:], int(ms)); err != nil && err != unix.EINTR {
			return false, fmt.Errorf("poll: %w", err)
		}
	}
}

// look reads what the files say now.
func (w *OOMWatch) look() (oom bool, err error) {
	if oom, err = w.lookMemory(); oom {
		return true, nil
	}
	if err == nil && w.events.open() {
		var text string
		if text, err = w.events.read(); err == nil && !populated(text) {
			err = ErrGone
		}
	} else if err == nil {
		pids, perr := w.m.Pids()
		if err = perr; err == nil && len(pids) == 0 {
			err = ErrGone
		}
	}
	if err != nil && gone(err) {
		err = ErrGone
	}
	if errors.Is(err, ErrGone) {
		// The last process may have been killed between the two looks.
		if oom, lerr := w.lookMemory(); oom && lerr == nil {
			return true, nil
		}
	}
	return false, err
}

func (w *OOMWatch) lookMemory() (oom bool, err error) {
	switch {
	case w.memory.open():
		kills, err := w.readKills()
		oom, w.kills = kills > w.kills, kills
		return oom, err
	case w.event < 0:
		return false, nil
	}
	var buf [8]byte
	if _, err := unix.Read(w.event, buf[:]); err != nil {
		return false, nil // EAGAIN
	}
	// A cgroup that is removed signals its eventfds, too.
	return binary.NativeEndian.Uint64(buf[:]) > 0 && w.m.exists(), nil
}

// readKills is OOMKills by way of the descriptor that is polled.
func (w *OOMWatch) readKills() (uint64, error) {
	text, err := w.memory.read()
	if err != nil {
		return w.kills, err
	}
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strconv.ParseUint(strings.TrimSpace(n), 10, 64)
		}
	}
	return 0, nil
}

// OOMKills tells how many processes of the container the out-of-memory killer has killed.
func (m *meter) OOMKills() (uint64, error) {
	dir := m.Path("memory")
	if dir == "" {
		return 0, nil
	}
	c, err := openCounters(dir, make([]byte, 1024))
	var kills uint64
	if err == nil {
		defer c.close()
		kills, err = c.memoryEvents(m.memoryEventsFile())["oom_kill"], c.err
	}
	if gone(err) {
		err = nil
	}
	return kills, err
}

// memoryEventsFile is the name of the file that counts how often the cgroup met one of its limits.
func (m *meter) memoryEventsFile() string {
	if m.record.Mode == V2 {
		return "memory.events"
	}
	return "memory.oom_control"
}

// OOMError says that the memory limit killed init.
type OOMError struct {
	Limit string // in bytes, as the kernel has it; "max" on v2 is none
	text  string
}

func (e *OOMError) Error() string {
	return "container init was OOM-killed (memory limit too low?): " + e.text
}

// ExplainOOM returns an *OOMError if the memory limit killed a process of the container, with what
// it would have needed, as far as the kernel knows. Else it returns nil. It is for an init that
// died without a word.
func (m *meter) ExplainOOM() error {
	if limit, sizes := m.killedAt(); sizes != "" {
		return &OOMError{limit, sizes}
	}
	return nil
}

// TellOOM is what a person may want to know of a container whose program was killed: that its
// memory limit has killed processes. It is "" if it has not.
func (m *meter) TellOOM() string {
	if _, sizes := m.killedAt(); sizes != "" {
		return "the memory limit has killed a process of the container: " + sizes
	}
	return ""
}

// killedAt gives the limit and tells of it and of the peak use of memory, if the limit has killed a
// process.
func (m *meter) killedAt() (most, text string) {
	kills, err := m.OOMKills()
	if err != nil || kills == 0 {
		return "", ""
	}
	limit, peak := "/memory.limit_in_bytes", "/memory.max_usage_in_bytes"
	if m.record.Mode == V2 {
		limit, peak = "/memory.max", "/memory.peak"
	}
	dir := m.Path("memory")
	most, err = readFile(dir + limit)
	if err != nil {
		return "", ""
	}
	text = "the limit is " + bytesText(most)
	if used, err := readFile(dir + peak); err == nil {
		text += ", the peak use was " + bytesText(used)
	}
	return most, text
}

// bytesText writes a number of bytes in the largest unit that it is a multiple of.
func bytesText(s string) string {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return s
	}
	switch {
	case n > 0 && n%(1<<20) == 0:
		return strconv.FormatUint(n>>20, 10) + " MiB"
	case n > 0 && n%(1<<10) == 0:
		return strconv.FormatUint(n>>10, 10) + " KiB"
	}
	return strconv.FormatUint(n, 10) + " bytes"
}
