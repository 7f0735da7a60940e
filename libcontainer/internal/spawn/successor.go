package spawn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
)

// Successor is the second raw fork: the process that the init of an exec ends with. Init itself
// stays outside of the container's pid namespace, where no process of the container sees
// it. Its thread has become all that the program shall be, and the child that it clones
// into the namespace inherits that and executes the program. So whoever traces the child
// or looks at its files and memory in between finds nothing that is not the container's
// (CVE-2016-9962, CVE-2019-5736).
type Successor struct {
	Path       *byte
	Argv, Envv **byte
	Filter     *unix.SockFprog // seccomp filter to load, or nil
	Flags      uintptr         // of the filter
	Notify     bool            // the filter has a listener
	Terminal   bool            // stdin becomes the controlling terminal
	Inherit    int             // so many fds are the program's
	Nproc      *unix.Rlimit    // RLIMIT_NPROC, or nil

	PID     int // of the child, after Clone
	channel [2]*os.File
	shared  *handover
	list    *calls.List
}

// Clone makes the child, a child of our parent as well. The calling goroutine must be
// locked to its thread, whose children are born into the container's pid namespace. The
// child waits for Start.
func (s *Successor) Clone() error {
	if err := s.prepare(); err != nil {
		return err
	}
	flags := unix.CLONE_PARENT | uintptr(unix.SIGCHLD)
	if s.Notify {
		// The listener of the filter becomes a descriptor of the child, which must not pass
		// it on: the filter may keep it from doing so. We do, as it is one of ours too.
		flags |= unix.CLONE_FILES
	}
	beforeFork()
	pid, errno := s.fork(flags)
	afterFork()
	runtime.KeepAlive(s)
	if errno != 0 {
		return fmt.Errorf("clone in the container's pid namespace: %w", ExplainClone(errno, flags))
	}
	s.PID = int(pid)
	if !s.Notify {
		s.channel[1].Close()
	}
	return nil
}

//go:nosplit
//go:noinline
//go:norace
func (s *Successor) fork(flags uintptr) (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		afterForkInChild()
		s.list.RunInChild()
	}
	return pid, errno
}

// Start lets the child go and returns when it has executed the program, or with the reason
// why it has not: [Refused] if it was execve that failed. agent gets the listener of the filter.
func (s *Successor) Start(agent func(listener *os.File) error) error {
	if _, err := s.channel[0].Write([]byte{1}); err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("let the process go: %w", err)
	}
	if s.Notify {
		return s.handOver(agent)
	}
	return s.result()
}

// result reads the child's report, or its end-of-file: the execve closes it.
func (s *Successor) result() error {
	var b [calls.ReportSize]byte
	if _, err := io.ReadFull(s.channel[0], b[:]); errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
		return nil
	} else if err != nil {
		return fmt.Errorf("receive a report of the process: %w", err)
	}
	_, err := s.list.Failure(b)
	return err
}

// Refused is what execve(2) says of the program.
type Refused syscall.Errno

func (e Refused) Error() string { return "execve: " + syscall.Errno(e).Error() }
func (e Refused) Unwrap() error { return syscall.Errno(e) }
