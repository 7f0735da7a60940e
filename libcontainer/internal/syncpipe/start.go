package syncpipe

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/syncpipe/wire"
)

// Starter is the start command's end of the start channel.
type Starter struct {
	end
	// Spans asks init for what it does from here on. Only one that is another start of oci-run can
	// answer; one that is a list of calls expects a message without a payload.
	Spans bool
}

// NewStarter takes over a connection to the start channel.
func NewStarter(conn *os.File) *Starter { return &Starter{end: end{f: conn}} }

// Announce tells init that the start is about to become irrevocable: if the start command
// dies after this, init dies too.
func (s *Starter) Announce() error { return s.send(starting, nil) }

// Withdraw takes the announcement back: init waits for another start.
func (s *Starter) Withdraw() error { return s.send(withdrawn, nil) }

// Start has init go on and returns nil when it has executed its program: its end of the
// channel is close-on-exec. (Or when it is dead: that looks the same.) agent gets the
// listener of a seccomp filter with SCMP_ACT_NOTIFY. watch is called now and then while
// init says nothing, and ends the wait with its error. Start returns a *Failure if init
// could not do what was asked.
func (s *Starter) Start(agent func(listener *os.File) error, watch func() error) error {
	if s.Spans {
		if err := s.send(start, askForSpans()); err != nil {
			return err
		}
		return s.follow(agent, watch)
	}
	since := trace.Now()
	if err := s.send(start, nil); err != nil {
		return err
	}
	err := s.follow(agent, watch)
	if err == nil {
		trace.Record(s.process, "execve", s.pid, since)
	}
	return err
}

// patience is how often a silent init is looked at, in milliseconds.
const patience = 100

// Listen waits for a message or the end of a channel. watch is called now and then meanwhile, and
// ends the wait with its error.
func Listen(channel *os.File, watch func() error) error {
	fds := []unix.PollFd{{Fd: int32(channel.Fd()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, patience)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("poll the start channel: %w", err)
		case n > 0:
			return nil
		}
		if err := watch(); err != nil {
			return err
		}
	}
}

// follow waits until init has executed its program.
func (e *end) follow(agent func(listener *os.File) error, watch func() error) error {
	for {
		if watch != nil {
			if err := Listen(e.f, watch); err != nil {
				return err
			}
		}
		m, err := e.receive()
		switch {
		case errors.Is(err, ErrClosed):
			trace.Ended(e.process, e.pid)
			return nil
		case err != nil:
			return err
		case m.kind == failed:
			closeAll(m.files)
			f := &Failure{}
			if err := wire.Unmarshal(m.payload, f); err != nil {
				return fmt.Errorf("receive Failed: %w", err)
			}
			return f
		case m.kind == refused:
			closeAll(m.files)
			return e.refusal(m.payload)
		case m.kind == listener && len(m.files) == 1:
			err = agent(m.files[0])
			m.files[0].Close()
			if err == nil {
				err = e.send(listener, nil)
			}
		case m.kind == traced:
			closeAll(m.files)
			err = e.relay(m.payload)
		default:
			closeAll(m.files)
			err = fmt.Errorf("receive: %v from init", m.kind)
		}
		if err != nil {
			return err
		}
	}
}

// Start is Committed for an exec, which has no start command to wait for: the process goes
// on at once, see [Starter.Start].
func (p *Parent) Start(agent func(listener *os.File) error) error {
	if err := p.Committed(); err != nil {
		return err
	}
	return p.follow(agent, p.Watch)
}

// Follow waits, after Committed, as [Starter.Start] does for an init that has no start command to
// wait for.
func (p *Parent) Follow(agent func(listener *os.File) error, watch func() error) error {
	return p.follow(agent, watch)
}

// Waiter is init's end of the start channel.
type Waiter struct {
	end
	// Spans says whether whoever started it wants to hear of spans.
	Spans trace.Remote
}

// AwaitStart waits on the listening socket until a start command says go. A connection
// that ends without a word is a start that was killed in time: the container can still be
// started. One that ends after its announcement is an error, for which init has to end.
func AwaitStart(channel *os.File) (*Waiter, error) {
	in := &inbox{}
	for {
		fd, _, err := unix.Accept4(int(channel.Fd()), unix.SOCK_CLOEXEC)
		if err == unix.EINTR || err == unix.ECONNABORTED { //nolint:errorlint // a bare errno
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("wait for start: %w", err)
		}
		w := &Waiter{end: end{f: os.NewFile(uintptr(fd), "start"), in: in}}
		if err := w.await(starting); err != nil {
			w.Close()
			continue
		}
		again, err := w.withdrawn()
		if !again {
			return w, err
		}
		w.Close()
	}
}

// withdrawn waits for the word after the announcement, and tells whether it is that there is no
// start after all.
func (w *Waiter) withdrawn() (bool, error) {
	m, err := w.receive()
	if err != nil {
		return false, err
	}
	closeAll(m.files)
	if m.kind != start && m.kind != withdrawn {
		return false, fmt.Errorf("receive: %v instead of %v", m.kind, start)
	}
	w.Spans = wantedSpans(m.payload)
	return m.kind == withdrawn, nil
}

// Waiter gives the end with which init reports after Ready if there is no start command.
func (i *Init) Waiter() *Waiter { return &Waiter{end: i.end} }

// Listener hands over the listener of a seccomp filter and waits until the agent has it.
func (w *Waiter) Listener(f *os.File) error {
	if err := w.send(listener, nil, f); err != nil {
		return err
	}
	return w.await(listener)
}

// Failed reports the error that init ends with.
func (w *Waiter) Failed(f *Failure) error { return w.fail(f) }
