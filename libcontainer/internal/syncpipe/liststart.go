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

	ends := addEnding(l, channel)
	l.Add(again)
	waited := l.Place()
	ends.addPoll(waited)
	l.Add(waited)
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
	ends.addEnd()
	l.Add(started)
	l.Do(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, ends.none, 0, sigsetSize).Or("unblock signals")
}

// ending is how a container that waits for its start ends by a signal. The kernel drops those
// whose default action is to end, if they go to process 1 of a pid namespace and it has no handler
// for them (pid_namespaces(7)), but not those that are blocked.
type ending struct {
	l          *calls.List
	polled     uintptr // two struct pollfd: the channel, and what tells of signals
	set, none  uintptr // signal sets
	descriptor uintptr
	caught     *calls.Call // where it goes on after a signal
}

// sigsetSize is that of the kernel's sigset_t.
const sigsetSize = 8

// endedBy are the signals that end a Go program, and so an init that is one.
var endedBy = [...]syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM}

// addEnding adds what comes before the wait. Where an outer filter refuses signalfd4(2), only
// SIGKILL ends the process.
func addEnding(l *calls.List, channel uintptr) *ending {
	var set uint64
	for _, s := range endedBy {
		set |= 1 << (s - 1)
	}
	polled := [2]unix.PollFd{{Fd: int32(channel), Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLIN}}
	e := &ending{l: l, polled: calls.Struct(l, &polled), set: l.Words(set), none: l.Words(0), descriptor: l.Room(8)}
	l.Do(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, e.set, 0, sigsetSize).Or("block signals")
	made, refused := l.Do(unix.SYS_SIGNALFD4, ^uintptr(0), e.set, sigsetSize, unix.SFD_CLOEXEC), l.Place()
	made.Result, made.Expect, made.Else = e.descriptor, []unix.Errno{calls.Any}, refused
	l.Do(calls.Copy, e.polled+pollSize, e.descriptor)
	l.Add(refused)
	return e
}

// struct pollfd, poll(2).
const (
	pollSize = 8
	reventAt = 6
)

// addPoll waits until there is a connection or a signal. If that can't be, it goes on at other,
// which waits for a connection alone: the create has succeeded.
func (e *ending) addPoll(other *calls.Call) {
	poll := e.l.Do(unix.SYS_PPOLL, e.polled, 2, 0, 0, sigsetSize)
	poll.Expect, poll.Else = []unix.Errno{calls.Any}, other
	quiet := e.l.Do(calls.Equal, e.polled+pollSize+reventAt, 0, uintptr(unix.EAGAIN))
	e.caught = e.l.Place()
	quiet.Expect, quiet.Else = []unix.Errno{unix.EAGAIN}, e.caught
}

// addEnd adds the end by a signal: by its default action, or, for process 1 of a pid namespace,
// with status 2, as a Go program ends then.
func (e *ending) addEnd() {
	l, info := e.l, e.l.Room(128) // struct signalfd_siginfo, which begins with the signal's number
	l.Add(e.caught)
	l.On(e.descriptor, unix.SYS_READ, info, 128).Or("read a signal")
	l.Do(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, e.none, 0, sigsetSize).Or("unblock signals")
	self, number := l.Do(unix.SYS_GETPID), l.Do(calls.Load, info)
	kill := l.Do(unix.SYS_KILL, 0, 0).Or("end by a signal")
	self.Into, number.Into, number.IntoArg = kill, kill, 1
	l.Do(unix.SYS_EXIT_GROUP, 2)
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
