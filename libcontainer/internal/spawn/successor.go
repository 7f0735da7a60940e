package spawn

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/fdsocket"
)

// Successor is the second raw fork: the process that the init of an exec ends with. Init itself
// stays outside of the container's pid namespace, where no process of the container sees
// it. Its thread has become all that the program shall be, and the child that it clones
// into the namespace inherits that and executes the program. So whoever traces the child
// or looks at its files and memory in between finds nothing that is not the container's
// (CVE-2016-9962, CVE-2019-5736).
type Successor struct {
	List    *calls.List // what the child does, to be completed before Clone
	Channel *os.File    // to the child
	Childs  *os.File    // and its end of that, to which it reports
	PID     int         // of the child, after Clone
}

// NewSuccessor returns one with a list that does nothing yet.
func NewSuccessor() (s *Successor, err error) {
	s = &Successor{}
	if s.Channel, s.Childs, err = fdsocket.Pair(); err == nil {
		s.List = calls.NewHere(int(s.Childs.Fd()))
	}
	return s, err
}

// Clone makes the child, a child of our parent as well. The calling goroutine must be locked to its
// thread, whose children are born into the container's pid namespace. shares tells that it has our
// descriptors, and not a copy of them.
func (s *Successor) Clone(shares bool) error {
	if err := s.List.LayOut(); err != nil {
		return err
	}
	flags := unix.CLONE_PARENT | uintptr(unix.SIGCHLD)
	if shares {
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
	if !shares {
		s.Childs.Close()
	}
	return nil
}

//go:nosplit
//go:noinline
//go:norace
func (s *Successor) fork(flags uintptr) (uintptr, syscall.Errno) {
	first, second := linux.Clone(flags)
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, first, second, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		afterForkInChild()
		s.List.RunInChild()
	}
	return pid, errno
}
