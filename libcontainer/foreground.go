package libcontainer

import (
	"os"

	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/fdsocket"
	"oci-run/libcontainer/internal/foreground"
)

// Foreground runs one process of a container as if it were a program of the caller's: it gets the
// signals that the caller gets, its terminal is the caller's, and the caller learns its exit
// status.
//
// [NewForeground] comes before the process is made, [Foreground.Console] beside the options of a
// process that has a terminal, [Foreground.Attend] at the end.
type Foreground struct {
	stdio          [3]*os.File
	signals        *foreground.Signals
	socket, theirs *os.File // ends of the socket over which the terminal comes; nil without one
}

// NewForeground keeps signals from ending the caller, until it exits, and collects them for the
// process. stdio is what a terminal is connected with.
// There can be one at a time.
func NewForeground(stdio [3]*os.File) (*Foreground, error) {
	span := trace.Begin("catch signals")
	signals, err := foreground.Catch()
	if span.End(err); err != nil {
		return nil, err
	}
	return &Foreground{signals: signals, stdio: stdio}, nil
}

// AdoptOrphans makes the caller the parent of processes of the container whose own has ended, so
// that Attend reaps them (PR_SET_CHILD_SUBREAPER, prctl(2)).
func (f *Foreground) AdoptOrphans() error { return foreground.BecomeSubreaper() }

// Interrupted tells, before Attend, whether the caller got a signal that asks to end, see
// [ExecOptions].
func (f *Foreground) Interrupted() bool { return f.signals.Asked() }

// Console returns a socket for the options of a process that has a terminal. Attend receives the
// terminal's master over it.
func (f *Foreground) Console() (*os.File, error) {
	var err error
	f.socket, f.theirs, err = fdsocket.Pair()
	return f.theirs, err
}

// Close lets go of what Console made.
func (f *Foreground) Close() { closeAll(f.socket, f.theirs) }

// Attended is a process that [Foreground.Attend] starts: that of a [Created] or an [Executed].
type Attended struct {
	PID     int
	PidFD   *os.File
	Start   func() error
	Abandon func() // ends it before its start
}

// Attend starts the process, stays until it ends, and tells how: nil if somebody else has reaped
// it. Whether memory ran out, [Container.KeepEnding] finds out.
func (f *Foreground) Attend(p Attended) (*Ending, error) {
	relay, err := f.relay()
	if err != nil {
		p.Abandon()
		return nil, err
	}
	if err := p.Start(); err != nil {
		if relay != nil {
			relay.Finish(nil)
		}
		return nil, err
	}
	span := trace.Begin("wait for the program")
	span.SetNumber("pid", p.PID)
	ws, known := f.signals.Wait(p.PID, p.PidFD, relay)
	span.End(nil)
	if !known {
		return nil, nil // nobody else is told either
	}
	return endingOf(ws), nil
}

// relay connects the process's terminal with the caller's. It is nil without a terminal.
func (f *Foreground) relay() (foreground.Terminal, error) {
	if f.socket == nil {
		return nil, nil // no terminal is not an error
	}
	master, err := fdsocket.Receive(f.socket)
	if err != nil {
		return nil, err
	}
	r, err := console.NewRelay(master, f.stdio[0], f.stdio[1], f.stdio[2])
	if err != nil {
		return nil, err
	}
	return r, nil
}

// DialConsole connects to the unix socket of an engine that is to get a terminal's master
// (--console-socket).
func DialConsole(path string) (*os.File, error) { return fdsocket.Dial(path) }
