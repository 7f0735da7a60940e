package spawn

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/fdsocket"
)

// handover is memory that init and its child both see, for a listener.
type handover struct {
	listener atomic.Int64 // its number, or none
	done     atomic.Uint32
}

const none = -1

// prepare works out what the child does.
func (s *Successor) prepare() (err error) {
	if s.channel[0], s.channel[1], err = fdsocket.Pair(); err != nil {
		return err
	}
	if s.Notify {
		page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
		if err != nil {
			return fmt.Errorf("mmap: %w", err)
		}
		s.shared = (*handover)(unsafe.Pointer(&page[0]))
		s.shared.listener.Store(none)
	}
	s.list = calls.NewHere(int(s.channel[1].Fd()))
	s.describe()
	return s.list.LayOut()
}

// describe is the order: nothing comes between the filter and the execve but the wait until the
// filter's listener has been handed over.
func (s *Successor) describe() {
	l, channel := s.list, s.channel[1].Fd()
	if !s.Notify {
		for _, gap := range [...][2]uintptr{{uintptr(s.Inherit), channel - 1}, {channel + 1, ^uintptr(0) >> 33}} {
			if gap[0] <= gap[1] {
				l.Do(unix.SYS_CLOSE_RANGE, gap[0], gap[1], 0).Or("close fds from %d to %d", gap[0], gap[1])
			}
		}
	}
	l.Do(unix.SYS_SETSID).Or("setsid")
	if s.Terminal {
		l.Do(unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0).Or("make stdin the controlling terminal")
	}
	if n := s.Nproc; n != nil {
		l.Do(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NPROC, l.Words(n.Cur, n.Max)).Or("set RLIMIT_NPROC")
	}
	end := &calls.Call{Number: unix.SYS_EXIT_GROUP, Args: [6]uintptr{1}}
	l.Do(unix.SYS_READ, channel, l.Room(8), 1).Or("wait for the exec command").Zero = end
	if s.Filter != nil {
		load := l.Do(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, s.Flags, uintptr(unsafe.Pointer(s.Filter))).Or("load the seccomp filter")
		if s.Notify {
			load.Result = uintptr(unsafe.Pointer(&s.shared.listener))
			l.Do(calls.Await, uintptr(unsafe.Pointer(&s.shared.done)), 1)
		}
	}
	exec := l.Do(unix.SYS_EXECVE, uintptr(unsafe.Pointer(s.Path)), uintptr(unsafe.Pointer(s.Argv)), uintptr(unsafe.Pointer(s.Envv)))
	exec.Explain = func(errno unix.Errno) error { return Refused(errno) }
	l.Add(end)
}

// handOver passes the listener on. From then on it is the agent's business what becomes of
// the child, which has our descriptors: they are closed when both of us are gone.
func (s *Successor) handOver(agent func(listener *os.File) error) error {
	for s.shared.listener.Load() == none {
		fds := []unix.PollFd{{Fd: int32(s.channel[0].Fd()), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 0); err == nil && n > 0 {
			return s.result()
		}
		time.Sleep(50 * time.Microsecond)
	}
	err := agent(os.NewFile(uintptr(s.shared.listener.Load()), "seccomp"))
	s.shared.done.Store(1)
	return err
}
