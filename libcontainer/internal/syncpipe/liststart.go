package syncpipe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/syncpipe/wire"
)

// AddAwaitStart adds what [AwaitStart] does, for an init that is a list of calls in an executable.
// channel is the listening socket. Behind it the process has the connection as the descriptor that
// it reports to, close-on-exec.
func AddAwaitStart(l *calls.List, channel uintptr) {
	conn, buf := l.ReportTo(), l.Room(8)
	again, drop, other, leave, started := l.Place(), l.Place(), l.Place(), l.Place(), l.Place()
	wrong := []unix.Errno{unix.EAGAIN}

	l.Add(again)
	accept := l.Do(unix.SYS_ACCEPT4, channel, 0, 0, unix.SOCK_CLOEXEC).Or("wait for start")
	accept.Result, accept.Expect, accept.Else = conn, []unix.Errno{unix.EINTR, unix.ECONNABORTED}, again

	// A connection that ends before it has announced a start is a start that was killed in time.
	announced := l.On(conn, unix.SYS_READ, buf, 8)
	announced.Expect, announced.Else, announced.Zero = []unix.Errno{calls.Any}, drop, drop
	is := l.Do(calls.Equal, buf, uintptr(starting), uintptr(unix.EAGAIN))
	is.Expect, is.Else = wrong, drop

	// One that ends after that is one for which init has to end.
	word := l.On(conn, unix.SYS_READ, buf, 8)
	word.Expect, word.Else, word.Zero = []unix.Errno{calls.Any}, leave, leave
	is = l.Do(calls.Equal, buf, uintptr(start), uintptr(unix.EAGAIN))
	is.Expect, is.Else, is.Then = wrong, other, started

	l.Add(other)
	l.Do(calls.Equal, buf, uintptr(withdrawn), uintptr(unix.EPROTO)).Or("receive neither %v nor %v", start, withdrawn)
	l.Add(drop)
	l.On(conn, unix.SYS_CLOSE).Then = again

	l.Add(leave)
	l.Do(unix.SYS_EXIT_GROUP, 1)
	l.Add(started)
}

// Refused is what an init that is a list of calls could not do after its start: execute Path, or
// What. Who starts it has neither the list nor knows what was chosen when it was made.
type Refused struct {
	Path, What string
	Errno      syscall.Errno
}

func (r *Refused) Error() string {
	what := r.What
	if r.Path != "" {
		what = "exec " + r.Path
	}
	return what + ": " + r.Errno.Error()
}

func (r *Refused) Unwrap() error { return r.Errno }

// AddRefusable adds a call that may be refused after the start: it is tried, then announced to the
// start command by what r says, and tried again for its error to be reported. first and second are
// the same call, second with an explanation for whoever has the list.
func AddRefusable(l *calls.List, r Refused, first, second *calls.Call) {
	packet := append([]byte{byte(refused)}, wire.Marshal(&r)...)
	done := l.Place()
	l.Add(first)
	first.Expect, first.Then = []unix.Errno{calls.Any}, done
	l.On(l.ReportTo(), unix.SYS_WRITE, l.Bytes(packet), uintptr(len(packet))).Expect = []unix.Errno{calls.Any}
	l.Add(second)
	l.Add(done)
}

// refusal receives the rest of what was refused: the error of the second try, or the end-of-file of
// one that had success.
func (e *end) refusal(payload []byte) error {
	r := &Refused{}
	if err := wire.Unmarshal(payload, r); err != nil {
		return fmt.Errorf("receive Refused: %w", err)
	}
	m, err := e.receive()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	if err != nil {
		return err
	}
	closeAll(m.files)
	report := append([]byte{byte(m.kind)}, m.payload...)
	if len(report) != calls.ReportSize {
		return fmt.Errorf("receive: %v instead of a report", m.kind)
	}
	r.Errno = syscall.Errno(binary.NativeEndian.Uint32(report[4:]))
	return r
}
