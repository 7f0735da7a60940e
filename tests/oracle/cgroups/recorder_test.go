package cgroups

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A recorder watches a directory that stands for a cgroup and tells which values were written to
// which of its files, in order. It asks the kernel (fanotify): an open of a file waits for the
// recorder's consent, so that what was written before can be looked at.
type recorder struct {
	fan    int
	dir    string
	files  map[string]*os.File // in it
	stop   [2]int              // a pipe
	done   chan error
	mutex  sync.Mutex
	opened *os.File // the file opened last, for writing
	writes []string // "file=value"
}

// record starts to watch a directory, until the test's end. It skips the test where the caller may
// not.
func record(t *testing.T, dir string, names map[string]string) *recorder {
	t.Helper()
	files := map[string]*os.File{}
	for name := range names {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		files[name] = f
	}
	fan, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_REPORT_TID, unix.O_RDWR|unix.O_CLOEXEC)
	if err != nil {
		t.Skipf("fanotify_init: %v", err)
	}
	if err := unix.FanotifyMark(fan, unix.FAN_MARK_ADD, unix.FAN_OPEN_PERM|unix.FAN_EVENT_ON_CHILD, unix.AT_FDCWD, dir); err != nil {
		t.Skipf("fanotify_mark: %v", err)
	}
	r := &recorder{fan: fan, dir: dir, files: files, done: make(chan error, 1)}
	if err := unix.Pipe2(r.stop[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	go func() {
		err := r.run()
		unix.Close(fan) // which lets go of whoever waits
		r.done <- err
	}()
	t.Cleanup(func() {
		unix.Close(r.stop[1])
		if err := <-r.done; err != nil {
			t.Error(err)
		}
		unix.Close(r.stop[0])
	})
	return r
}

// take gives what was written since it was called before.
func (r *recorder) take(t *testing.T) []string {
	t.Helper()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	defer func() { r.writes = nil }()
	return r.writes
}

func (r *recorder) run() error {
	buf := make([]byte, 4096)
	for {
		fds := []unix.PollFd{{Fd: int32(r.fan), Events: unix.POLLIN}, {Fd: int32(r.stop[0]), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if fds[0].Revents == 0 {
			if fds[1].Revents != 0 {
				return nil
			}
			continue
		}
		n, err := unix.Read(r.fan, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		for events := buf[:n]; len(events) > 0; {
			e := (*unix.FanotifyEventMetadata)(unsafe.Pointer(&events[0]))
			if err := r.event(e); err != nil {
				return err
			}
			events = events[e.Event_len:]
		}
	}
}

// event looks at one event: a thread waits to open a file, so that what it wrote to the one before
// is complete. A file that is opened to be written is emptied, as the kernel's have no content in
// which a shorter value would leave an end of a longer one.
func (r *recorder) event(e *unix.FanotifyEventMetadata) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	f := os.NewFile(uintptr(e.Fd), "event")
	err := r.finish()
	writes, werr := opensForWriting(int(e.Pid))
	if err = errors.Join(err, werr); err == nil && writes {
		err = f.Truncate(0)
	}
	var answer [8]byte
	binary.NativeEndian.PutUint32(answer[:], uint32(e.Fd))
	binary.NativeEndian.PutUint32(answer[4:], unix.FAN_ALLOW)
	_, aerr := unix.Write(r.fan, answer[:])
	if !writes {
		f.Close()
	} else {
		r.opened = f
	}
	return errors.Join(err, aerr)
}

// opensForWriting looks at the arguments of the openat(2) that a thread waits in.
func opensForWriting(thread int) (bool, error) {
	var words []string
	for { // the event may come before the thread sleeps
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", thread))
		if err != nil {
			return false, err
		}
		if words = strings.Fields(string(text)); words[0] != "running" {
			break
		}
	}
	if len(words) < 4 || words[0] != strconv.Itoa(unix.SYS_OPENAT) {
		return false, fmt.Errorf("a thread opens a file by %q", words)
	}
	flags, err := strconv.ParseUint(words[3], 0, 64)
	return flags&unix.O_ACCMODE != unix.O_RDONLY, err
}

// finish notes what was written to the file opened last.
func (r *recorder) finish() error {
	if r.opened == nil {
		return nil
	}
	defer func() { r.opened.Close(); r.opened = nil }()
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", r.opened.Fd()))
	if err != nil {
		return err
	}
	buf := make([]byte, 4096)
	n, err := unix.Pread(int(r.opened.Fd()), buf, 0)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(buf[:n])) { // the kernel takes a line at a time, from one descriptor or several
		r.writes = append(r.writes, filepath.Base(path)+"="+strings.TrimSuffix(line, "\n"))
	}
	return nil
}
