// Package foreground is what `run` and `exec` do while a container's process is their
// child in the foreground: they pass signals on to it, reap it and its orphans, follow
// the size of the terminal, and learn how it ended.
package foreground

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"oci-run/internal/log"
)

// buffered is how many signals can wait for the process to be there.
const buffered = 256

// lastSignal is SIGRTMAX.
const lastSignal = 64

// Signals are those that this command got since Catch.
type Signals struct {
	catcher *catcher
	c       chan unix.Signal
	asked   bool          // one of them, seen by Asked, asks to end
	heard   chan struct{} // closed when nobody listens any more; nil if nobody did
}

// Terminal is the relay of a container's terminal, *console.Relay.
type Terminal interface {
	Resize()
	Continue()
	Finish(abandon <-chan struct{})
}

// Catch keeps signals from ending this command, and collects them for Wait. It comes before
// anything is made that would outlast us. There can be one at a time.
func Catch() (*Signals, error) {
	c, err := newCatcher()
	if err != nil {
		return nil, err
	}
	for n := unix.Signal(1); n <= lastSignal; n++ {
		if caught(n) {
			c.catch(n, n == unix.SIGHUP || n == unix.SIGINT) // nohup(1), or a job of a shell without job control
		}
	}
	return &Signals{catcher: c, c: make(chan unix.Signal, buffered)}, nil
}

// settled is when we begin to reap orphans, in milliseconds: SIGCHLD is caught when the process has
// turned out to live for a while, because most that don't have none, and to be told of their own
// end takes time.
const settled = 100

// listen passes on what is caught.
func (s *Signals) listen() {
	defer close(s.heard)
	var buf [buffered]byte
	for timeout := settled; ; {
		numbers := s.catcher.next(timeout, buf[:])
		if len(numbers) == 0 {
			timeout = -1
			s.catcher.catch(unix.SIGCHLD, false)
			s.send(unix.SIGCHLD) // for those who ended before
		}
		for _, n := range numbers {
			if n == 0 {
				return
			}
			s.send(unix.Signal(n))
		}
	}
}

func (s *Signals) send(n unix.Signal) {
	select {
	case s.c <- n:
	default: // so many wait that one of them will do
	}
}

// Asked tells, before Wait, whether a signal has come that asks to end. It is passed on all the
// same.
func (s *Signals) Asked() bool {
	var buf [buffered]byte
	for _, n := range s.catcher.next(0, buf[:]) {
		s.asked = s.asked || ends(unix.Signal(n))
		s.send(unix.Signal(n))
	}
	return s.asked
}

// ends tells whether who sends a signal wants an end.
func ends(n unix.Signal) bool {
	return n == unix.SIGHUP || n == unix.SIGINT || n == unix.SIGQUIT || n == unix.SIGTERM
}

// stop gives signals their usual effects back. Tests need it; a command ends with them caught.
func (s *Signals) stop() {
	s.catcher.stop()
	if s.heard != nil {
		s.catcher.wake()
		<-s.heard
	}
	s.catcher.close()
}

// caught tells whether a signal is ours to deal with.
func caught(n unix.Signal) bool {
	switch n {
	case unix.SIGKILL, unix.SIGSTOP: // nobody can
		return false
	case unix.SIGURG: // Go's runtime sends it to itself all the time
		return false
	case unix.SIGTTIN, unix.SIGTTOU: // they stop a background job that wants the terminal
		return false
	case 32, 33: // the C library's
		return false
	case unix.SIGCHLD: // later
		return false
	}
	return true
}

// Wait passes signals on to the process, which must be our child, until it ends, and tells how it
// ended. known is false if somebody else has reaped it. t is nil without a terminal.
//
// It reaps any other child too: a subreaper gets the orphans of the container.
func (s *Signals) Wait(pid int, pidfd *os.File, t Terminal) (ws unix.WaitStatus, known bool) {
	ended, stopped := make(chan struct{}), make(chan struct{})
	var seen end
	s.heard = make(chan struct{})
	go s.listen()
	go func() {
		s.passOn(pid, pidfd, t, ended, &seen)
		close(stopped)
	}()
	// This thread waits in the kernel: a change of threads less than to hear of SIGCHLD.
	ws, reaped := wait(pid)
	close(ended)
	<-stopped
	if reaped {
		seen = end{ws, true}
	}
	if t != nil {
		s.finish(t)
	}
	return seen.status, seen.known
}

// end is how the process ended, if that is known.
type end struct {
	status unix.WaitStatus
	known  bool
}

// passOn deals with signals until the process has ended, and tells how if it was here that it was
// reaped.
func (s *Signals) passOn(pid int, pidfd *os.File, t Terminal, ended <-chan struct{}, seen *end) {
	for {
		select {
		case <-ended:
			return
		case n := <-s.c:
			switch n {
			case unix.SIGCHLD:
				reapAll(pid, seen)
			case unix.SIGPIPE: // we wrote to a pipe that nobody reads: no news for the container
			case unix.SIGWINCH:
				if t != nil {
					t.Resize()
				}
			default:
				if n == unix.SIGCONT && t != nil {
					t.Continue()
				}
				forward(pidfd, n)
			}
		}
	}
}

func forward(pidfd *os.File, n unix.Signal) {
	err := unix.PidfdSendSignal(int(pidfd.Fd()), n, nil, 0)
	if err != nil && err != unix.ESRCH {
		log.Warn("pass signal " + strconv.Itoa(int(n)) + " on to the container: " + err.Error())
	}
}

// finish lets the terminal's last output through. Now that there is no process to pass
// them on to, signals that ask to end are for us.
func (s *Signals) finish(t Terminal) {
	abandon, finished := make(chan struct{}), make(chan struct{})
	go func() {
		t.Finish(abandon)
		close(finished)
	}()
	for asked := false; ; {
		select {
		case <-finished:
			return
		case n := <-s.c:
			if ends(n) && !asked {
				asked = true
				close(abandon)
			}
		}
	}
}

// wait waits for the process to end. reaped is false if somebody else has reaped it.
func wait(pid int) (ws unix.WaitStatus, reaped bool) {
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		if err != unix.EINTR {
			return ws, err == nil
		}
	}
}

// reapAll reaps all children that have ended, and tells how the one with this pid did if it is
// among them. A SIGCHLD can stand for several.
func reapAll(pid int, seen *end) {
	for {
		var ws unix.WaitStatus
		ended, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil || ended <= 0:
			return
		case ended == pid:
			*seen = end{ws, true}
		}
	}
}

// BecomeSubreaper has the orphans among the container's processes become our children
// (PR_SET_CHILD_SUBREAPER, prctl(2)), so that Wait reaps them.
func BecomeSubreaper() error {
	return os.NewSyscallError("prctl PR_SET_CHILD_SUBREAPER", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}
