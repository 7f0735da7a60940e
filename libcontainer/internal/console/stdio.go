package console

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
)

// Stdio is what takes the place of some of a process's fds 0, 1 and 2: the terminal, or the
// container's own /dev/null.
type Stdio struct {
	File     *os.File // nil if nothing does
	FDs      []int
	Terminal bool
}

// OnTerminal puts a process on a terminal.
func OnTerminal(peer *os.File) Stdio { return Stdio{peer, []int{0, 1, 2}, true} }

// AddControl makes the terminal the controlling one of the process, which must lead a session that
// has none (setsid(2)). do makes a call with the file as its first argument.
func (s *Stdio) AddControl(do func(number uintptr, args ...uintptr) *calls.Call) {
	if s.Terminal {
		name := s.File.Name()
		do(unix.SYS_IOCTL, unix.TIOCSCTTY, 0).Explain = func(errno unix.Errno) error {
			return fmt.Errorf("make %q the controlling terminal: %w", name, ExplainHangup(errno))
		}
	}
}

// Add puts the file where it belongs.
func (s *Stdio) Add(do func(number uintptr, args ...uintptr) *calls.Call) {
	if s.File == nil {
		return
	}
	name := s.File.Name()
	for _, to := range s.FDs {
		do(unix.SYS_DUP3, uintptr(to), 0).Or("make %q descriptor %d", name, to)
	}
}

// Here makes calls with the file as the process has it that makes the list.
func (s *Stdio) Here(l *calls.List) func(number uintptr, args ...uintptr) *calls.Call {
	return func(number uintptr, args ...uintptr) *calls.Call {
		return l.Do(number, append([]uintptr{s.File.Fd()}, args...)...)
	}
}

// Close gives the file up.
func (s *Stdio) Close() {
	if s.File != nil {
		s.File.Close()
		s.File = nil
	}
}
