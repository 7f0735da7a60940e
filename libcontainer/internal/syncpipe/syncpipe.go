// Package syncpipe is the protocol between a command (the parent) and the init process that it
// started. Each end is a type, each message a method:
//
//	parent                         init
//	  Config(plan, fds)        --->                      the fds by name
//	                           <---  MountFD(index)      a source that only the parent can prepare
//	  MountFD(fd | error)      --->
//	                           <---  Hooks               namespaces and mounts ready, before pivot_root
//	  HooksDone(error)         --->
//	                           <---  Limits              resource limits that only the parent may raise
//	  LimitsDone               --->
//	                           <---  Log(level, text)    at any time, no answer
//	                           <---  Trace(spans)        at any time, no answer
//	                           <---  Ready | Failed(error)
//	  Committed                --->                      the record is on disk
//	  (close)                        waits for start
//
// and later, on the start channel, with the start command as the parent, or without the first two
// on the same channel, if the command that makes the container starts it as well:
//
//	Starting                 --->         from here on it is started or dies
//	Start | Withdrawn        --->         but for the second, after which it waits again
//	                         <---  Trace(spans)        if Start has asked for them
//	                         <---  Listener(fd)        only with SCMP_ACT_NOTIFY
//	ListenerDone             --->
//	                         <---  Failed(error), or the end-of-file of a successful execve
//
// An init that is a list of calls (see AddAwaitStart) says instead of Failed
//
//	<---  Refused(path or what)    what it is about to try a second time
//	<---  errno                    a report of package calls
//
// The channel is a SOCK_SEQPACKET socket pair: a message is one packet, fds ride along as
// SCM_RIGHTS. When one end dies, the other reads end-of-file; init then ends too, so that a killed
// create leaves no process. A message out of order is an error that names what came and what was
// expected.
package syncpipe

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

type kind byte

const (
	config kind = iota + 1
	mountFD
	hooks
	limits
	logged
	ready
	failed
	committed
	starting
	withdrawn
	start
	listener
	refused
	traced
)

var kindNames = [...]string{
	config: "Config", mountFD: "MountFD", hooks: "Hooks", limits: "Limits", logged: "Log", ready: "Ready", failed: "Failed", committed: "Committed",
	starting: "Starting", withdrawn: "Withdrawn", start: "Start", listener: "Listener",
	refused: "Refused",
	traced:  "Trace",
}

func (k kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("message %d", byte(k))
}

// ErrClosed is what an end gets when the other one is gone.
var ErrClosed = errors.New("the other end closed the channel")

// maxPacket bounds a message; each end sets aside so much memory to receive one. Big
// things travel in a memfd.
const maxPacket = 16 << 10

// maxFDs bounds the fds of a message (SCM_MAX_FD of the kernel is 253).
const maxFDs = 16

// Pair makes the channel. The child's end goes to spawn; the parent closes its copy
// after the start, so that it sees the end-of-file of a dead init.
func Pair() (parent *Parent, child *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return &Parent{end: end{f: os.NewFile(uintptr(fds[0]), "sync")}}, os.NewFile(uintptr(fds[1]), "sync"), nil
}

// end is what both ends have in common.
type end struct {
	f       *os.File
	in      *inbox // from the first message on
	process string // the other one's name in a trace
	pid     int    // and its pid
}

// inbox is where an end receives its messages, one after the other.
type inbox struct {
	_      [0]uint64 // rights begins with a header, which is aligned
	rights [spaceOfRights]byte
	packet [maxPacket]byte // last: of most of it, no page is ever used
}

// spaceOfRights is CMSG_SPACE of so many fds, cmsg(3), with the larger header of 64-bit machines.
const spaceOfRights = 16 + maxFDs*4

// Close ends the conversation.
func (e *end) Close() error { return e.f.Close() }

func (e *end) send(k kind, payload []byte, files ...*os.File) error {
	if len(payload) >= maxPacket || len(files) > maxFDs {
		return fmt.Errorf("send %v: %d bytes and %d fds are more than a message holds", k, len(payload), len(files))
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	packet := packetOf(k, payload)
	return sent(k, func() error { return unix.Sendmsg(int(e.f.Fd()), packet, rights, nil, unix.MSG_NOSIGNAL) })
}

// write sends a message without files by write(2), as the report of a list is sent: a seccomp
// filter that has kept the sender from its execve may still allow that.
func (e *end) write(k kind, payload []byte) error {
	packet := packetOf(k, payload)
	return sent(k, func() error {
		_, err := unix.Write(int(e.f.Fd()), packet)
		return err
	})
}

func packetOf(k kind, payload []byte) []byte {
	return append(append(make([]byte, 0, 1+len(payload)), byte(k)), payload...)
}

// sent repeats a call that a signal interrupts.
func sent(k kind, call func() error) error {
	for {
		err := call()
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
			return ErrClosed
		case err != nil:
			return fmt.Errorf("send %v: %w", k, err)
		default:
			return nil
		}
	}
}

// message is what came from the other end. The receiver owns files; payload is good until the
// next message comes.
type message struct {
	kind    kind
	payload []byte
	files   []*os.File
}

func (e *end) receive() (*message, error) {
	if e.in == nil {
		e.in = &inbox{}
	}
	buf, rights := e.in.packet[:], e.in.rights[:]
	var n, nr, flags int
	var err error
	for {
		n, nr, flags, _, err = unix.Recvmsg(int(e.f.Fd()), buf, rights, unix.MSG_CMSG_CLOEXEC)
		// ECONNRESET is told once, of an end that was closed before it had received all. What it
		// had sent itself comes after.
		if err != unix.EINTR && err != unix.ECONNRESET { //nolint:errorlint // a bare errno
			break
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("receive: %w", err)
	case n == 0:
		return nil, ErrClosed
	}
	files, err := parseRights(rights[:nr])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("receive: message is cut off")
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return &message{kind(buf[0]), buf[1:n], files}, nil
}

// expect receives a message of the kind k.
func (e *end) expect(k kind) (*message, error) {
	m, err := e.receive()
	if err != nil {
		return nil, err
	}
	if m.kind != k {
		closeAll(m.files)
		return nil, fmt.Errorf("receive: %v instead of %v", m.kind, k)
	}
	return m, nil
}

// await receives a message of the kind k that says no more than that it is one.
func (e *end) await(k kind) error {
	m, err := e.expect(k)
	if err == nil {
		closeAll(m.files)
	}
	return err
}

func parseRights(b []byte) (files []*os.File, err error) {
	for len(b) >= unix.SizeofCmsghdr {
		var m unix.SocketControlMessage
		if m.Header, m.Data, b, err = unix.ParseOneSocketControlMessage(b); err != nil {
			return files, fmt.Errorf("receive: control message: %w", err)
		}
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, fmt.Errorf("receive: rights: %w", err)
		}
		files = slices.Grow(files, len(fds))
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
