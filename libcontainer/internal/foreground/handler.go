//go:build amd64 || arm64

package foreground

import (
	"fmt"
	"os/signal"
	"unsafe"

	"golang.org/x/sys/unix"
)

// os/signal takes two changes of threads for each signal that it begins to catch: all of
// them together as long as a whole exec. Here it is one system call each, for a handler of
// our own (handler_*.s), the old trick of a pipe to oneself.

// What the handler looks up: the pipe's end that it writes to, and Go's handler, the same for all
// signals.
var (
	pipe int32
	//lint:ignore U1000 the handler reads it
	previous uintptr
)

// addresses returns that of the handler, and of where it returns to, 0 for the kernel's choice.
//
//go:noescape
func addresses() (handler, restorer uintptr)

// action is struct kernel_sigaction of both architectures.
type action struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// Flags of sigaction(2), and the handler that ignores.
const (
	saSiginfo  = 0x4
	saOnstack  = 0x08000000
	saRestart  = 0x10000000
	saRestorer = 0x04000000
	sigIgn     = 1
)

// catcher has signals go to a pipe.
type catcher struct {
	read int
	old  [lastSignal + 1]action // of the caught signals
}

// newCatcher makes the pipe. There can be one catcher in a process.
func newCatcher() (*catcher, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	if err := unix.SetNonblock(ends[1], true); err != nil { // a handler doesn't wait
		return nil, fmt.Errorf("make a pipe non-blocking: %w", err)
	}
	var goes action
	sigaction(unix.SIGSEGV, nil, &goes)
	pipe, previous = int32(ends[1]), goes.handler
	// Go would end us after a write to a broken stdout or stderr. It has nobody else's SIGPIPE
	// ignored: an execve resets a handler.
	signal.Ignore(unix.SIGPIPE)
	return &catcher{read: ends[0]}, nil
}

// catch has signal n go to the pipe from now on, unless it was ignored and respect says that this
// counts.
func (c *catcher) catch(n unix.Signal, respect bool) {
	handler, restorer := addresses()
	a := action{handler: handler, flags: saSiginfo | saOnstack | saRestart, restorer: restorer, mask: ^uint64(0)}
	if restorer != 0 {
		a.flags |= saRestorer
	}
	old := &c.old[n]
	if sigaction(n, &a, old) && respect && old.handler == sigIgn {
		sigaction(n, old, nil)
	}
}

func sigaction(n unix.Signal, a, old *action) bool {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
	return errno == 0
}

// stop gives signals the effect back that they had.
func (c *catcher) stop() {
	for n := range c.old {
		if old := &c.old[n]; old.flags != 0 { // Go's handler has some
			sigaction(unix.Signal(n), old, nil)
		}
	}
}

func (c *catcher) close() {
	unix.Close(c.read)
	unix.Close(int(pipe))
	pipe = -1
}

// wake puts a 0 among the signals.
func (c *catcher) wake() {
	_, _ = unix.Write(int(pipe), []byte{0}) // a pipe that is full wakes as well
}

// next waits for signals and returns their numbers, none if the time, in milliseconds, is over; -1
// is forever.
func (c *catcher) next(timeout int, buf []byte) []byte {
	fds := []unix.PollFd{{Fd: int32(c.read), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, timeout)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return nil
		}
		if n, err = unix.Read(c.read, buf); err == nil {
			return buf[:n]
		}
	}
}
