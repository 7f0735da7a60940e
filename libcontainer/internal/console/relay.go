package console

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/entry"
	"oci-run/internal/linux"
)

// Relay carries bytes between a container's terminal and the user's stdin and stdout, one
// goroutine in each direction, so that one that stalls doesn't stop the other.
type Relay struct {
	host   *host
	master *os.File        // non-blocking
	raw    syscall.RawConn // of master
	// peer is the container's end, kept open so that the master doesn't report a hangup
	// for as long as no process has the terminal open, which would have to be polled away.
	peer   *os.File
	stdin  int
	stdout int
	wake   [2]*os.File   // a pipe; closing its second end ends the input
	output chan struct{} // closed when all output is written
}

// chunk is how much is carried at once: more than a terminal ever buffers in one piece.
const chunk = 32 << 10

// flushed bounds what is read after the process has ended: the kernel holds less than
// that for a terminal (TTYB_DEFAULT_MEM_LIMIT, 640 KiB), so whatever comes later was
// written by somebody else.
const flushed = 1 << 20

// NewRelay takes over the master, turns the user's terminal raw if stdin is one, gives
// the container's terminal its size and starts to carry. Finish has to follow.
func NewRelay(master, stdin, stdout, stderr *os.File) (*Relay, error) {
	defer master.Close()
	r := &Relay{host: newHost(stdin, stdout, stderr), stdin: int(stdin.Fd()), stdout: int(stdout.Fd()), output: make(chan struct{})}
	err := r.open(int(master.Fd()), master.Name())
	if err == nil {
		r.Resize()
		err = r.host.makeRaw()
	}
	if err != nil {
		for _, f := range []*os.File{r.master, r.peer, r.wake[0], r.wake[1]} {
			f.Close() // of nil: an error, no panic
		}
		return nil, err
	}
	entry.Several() // each direction waits in system calls of its own
	go r.carryInput()
	go r.carryOutput()
	return r, nil
}

func (r *Relay) open(master int, name string) error {
	peer, err := linux.OpenPtyPeer(master, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open the peer of %q (TIOCGPTPEER): %w", name, err)
	}
	r.peer = os.NewFile(uintptr(peer), name)
	fd, err := unix.FcntlInt(uintptr(master), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fmt.Errorf("dup %q: %w", name, err)
	}
	// Only then package os polls it.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return fmt.Errorf("make %q non-blocking: %w", name, err)
	}
	r.master = os.NewFile(uintptr(fd), name)
	if r.raw, err = r.master.SyscallConn(); err != nil {
		return err
	}
	r.wake[0], r.wake[1], err = os.Pipe()
	return err
}

// Resize gives the container's terminal the size of the user's, on SIGWINCH.
func (r *Relay) Resize() {
	_ = r.raw.Control(func(fd uintptr) { r.host.copySize(int(fd)) })
}

// Continue takes the user's terminal back, on SIGCONT: a shell has used it meanwhile.
func (r *Relay) Continue() {
	_ = r.host.makeRaw()
	r.Resize()
}

// Finish is called when the process has ended. It ends the input, waits until all that
// the process wrote has come through, and restores the user's terminal. If the reader of
// stdout stalls, that lasts until abandon is closed.
func (r *Relay) Finish(abandon <-chan struct{}) {
	r.wake[1].Close()
	// Past deadlines end the reading and writing that is under way.
	_ = r.master.SetDeadline(time.Unix(1, 0))
	select {
	case <-r.output:
	case <-abandon:
	}
	r.host.restore()
	r.master.Close()
	r.peer.Close()
}

// carryInput copies stdin to the terminal, and its end. It reads only what is there already, so
// that nothing that the user types after the end is lost to the shell.
func (r *Relay) carryInput() {
	defer r.wake[0].Close()
	buf := make([]byte, chunk)
	fds := []unix.PollFd{{Fd: int32(r.stdin), Events: unix.POLLIN}, {Fd: int32(r.wake[0].Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil, fds[1].Revents != 0:
			return
		}
		n, err := unix.Read(r.stdin, buf)
		switch {
		case err == unix.EINTR, err == unix.EAGAIN:
			continue
		case err != nil, n == 0:
			r.endOfInput()
			return
		}
		if _, err := r.master.Write(buf[:n]); err != nil {
			return
		}
	}
}

// carryOutput copies the terminal to stdout. If stdout is gone, so is the terminal: the
// process gets a SIGHUP.
func (r *Relay) carryOutput() {
	defer close(r.output)
	buf := make([]byte, chunk)
	for {
		n, err := r.master.Read(buf)
		if n > 0 && writeAll(r.stdout, buf[:n]) != nil {
			r.master.Close()
			r.peer.Close()
			return
		}
		if err != nil && !(errors.Is(err, unix.EIO) && r.reopen()) {
			r.flush(buf)
			return
		}
	}
}

// reopen goes on after a hangup: a process has called vhangup(2), as login programs do,
// or the session has ended, of which Finish will tell us.
func (r *Relay) reopen() bool {
	reopened := false
	err := r.raw.Control(func(master uintptr) {
		peer, err := linux.OpenPtyPeer(int(master), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		if err != nil {
			return
		}
		defer unix.Close(peer)
		reopened = unix.Dup3(peer, int(r.peer.Fd()), unix.O_CLOEXEC) == nil
	})
	return err == nil && reopened
}

// flush copies what is there and can't be waited for any more.
func (r *Relay) flush(buf []byte) {
	for total := 0; total < flushed; {
		n, err := -1, error(unix.EINTR)
		if r.raw.Control(func(fd uintptr) {
			for err == unix.EINTR { //nolint:errorlint // a bare errno
				n, err = unix.Read(int(fd), buf)
			}
		}) != nil || n <= 0 || writeAll(r.stdout, buf[:n]) != nil {
			return
		}
		total += n
	}
}

// writeAll writes to a descriptor that other processes may have made non-blocking.
func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		switch err {
		case nil:
			b = b[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1); err != nil && err != unix.EINTR {
				return err
			}
		default:
			return err
		}
	}
	return nil
}
