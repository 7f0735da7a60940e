// Package dbus is a client of D-Bus over sockets of unix(7), as much of one as talking to systemd
// takes: connections with a deadline, calls and their answers, signals. tests/oracle holds it
// against godbus.
package dbus

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The message bus itself, as a peer.
const (
	BusName = "org.freedesktop.DBus"
	BusPath = "/org/freedesktop/DBus"
)

// Conn is a connection to a message bus or directly to a service. It is not safe for concurrent
// use.
type Conn struct {
	// OnSignal gets each signal that arrives, while a call waits for its answer too. An error ends
	// what waits.
	OnSignal func(*Message) error

	fd       int
	deadline time.Time // of all that the connection is used for
	serial   uint32
	pending  []byte
}

// Error is an answer that says no.
type Error struct{ Name, Text string }

func (e *Error) Error() string { return e.Text + " (" + e.Name + ")" }

// IsError tells whether err is the D-Bus error of a name.
func IsError(err error, name string) bool {
	var e *Error
	return errors.As(err, &e) && e.Name == name
}

// hungUp is the error for a peer that closed the connection. It is a type because an error variable
// would cost every start of the program.
type hungUp struct{}

func (hungUp) Error() string        { return "the other end hung up" }
func (hungUp) Is(target error) bool { return target == unix.ECONNRESET }

// timedOut is the error for a peer that doesn't answer in time.
type timedOut struct{}

func (timedOut) Error() string        { return "no answer arrived in time" }
func (timedOut) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Dial connects to a socket, "@" and a name being an abstract one, and authenticates. Nothing on
// this connection waits longer than until the deadline.
//
// EXTERNAL without an identity has the other end take the one that the kernel tells it, which is
// right in a user namespace, too, where the caller doesn't know its real user id. Everything is
// sent at once.
func Dial(socket string, deadline time.Time) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &Conn{fd: fd, deadline: deadline}
	if err := c.open(socket); err != nil {
		c.Close()
		return nil, fmt.Errorf("%q: %w", socket, err)
	}
	return c, nil
}

func (c *Conn) open(socket string) error {
	if err := c.connect(socket); err != nil {
		return err
	}
	if err := c.write([]byte("\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")); err != nil {
		return err
	}
	for _, want := range []string{"DATA", "OK"} {
		line, err := c.line()
		if err != nil {
			return err
		}
		if word, _, _ := strings.Cut(line, " "); word != want {
			return fmt.Errorf("D-Bus authentication: %q instead of %s", line, want)
		}
	}
	return nil
}

func (c *Conn) connect(socket string) error {
	for {
		err := unix.Connect(c.fd, &unix.SockaddrUnix{Name: socket})
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EAGAIN: // the listener's queue is full
			if time.Now().After(c.deadline) {
				return timedOut{}
			}
			time.Sleep(time.Millisecond)
		default:
			return fmt.Errorf("connect: %w", err)
		}
	}
}

// Close ends the connection.
func (c *Conn) Close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
}

// wait waits until the socket is readable or writable.
func (c *Conn) wait(events int16) error {
	for {
		left := time.Until(c.deadline)
		if left <= 0 {
			return timedOut{}
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: events}}, int(left.Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
}

func (c *Conn) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.SendmsgN(c.fd, b, nil, nil, unix.MSG_NOSIGNAL)
		switch err {
		case nil:
			b = b[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			if err := c.wait(unix.POLLOUT); err != nil {
				return err
			}
		default:
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// fill reads until at least n bytes are pending.
func (c *Conn) fill(n int) error {
	for len(c.pending) < n {
		buf := make([]byte, max(4096, n-len(c.pending)))
		k, err := unix.Read(c.fd, buf)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := c.wait(unix.POLLIN); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("read: %w", err)
		case k == 0:
			return hungUp{}
		default:
			c.pending = append(c.pending, buf[:k]...)
		}
	}
	return nil
}

// line reads a line of the authentication.
func (c *Conn) line() (string, error) {
	for n := 1; ; n++ {
		if err := c.fill(n); err != nil {
			return "", err
		}
		if line, rest, ok := strings.Cut(string(c.pending[:n]), "\r\n"); ok && rest == "" {
			c.pending = c.pending[n:]
			return line, nil
		}
		if n > 4096 {
			return "", errMalformed
		}
	}
}

// read reads a message.
func (c *Conn) read() (*Message, error) {
	if time.Now().After(c.deadline) { // a peer that never stops sending signals is as mute as one that sends nothing
		return nil, timedOut{}
	}
	if err := c.fill(headSize); err != nil {
		return nil, err
	}
	size, err := messageSize(c.pending)
	if err != nil {
		return nil, err
	}
	if err := c.fill(size); err != nil {
		return nil, err
	}
	m, err := Parse(c.pending[:size:size])
	c.pending = c.pending[size:]
	return m, err
}

// next reads a message, and hands it to OnSignal if it is a signal.
func (c *Conn) next() (*Message, error) {
	m, err := c.read()
	if err != nil || m.Kind != Signal || c.OnSignal == nil {
		return m, err
	}
	return m, c.OnSignal(m)
}

// Wait reads one message, which may be a signal for OnSignal.
func (c *Conn) Wait() error {
	_, err := c.next()
	return err
}

// Call calls a method and waits for the answer.
func (c *Conn) Call(m *Message) (*Message, error) {
	c.serial++
	m.Kind, m.Serial = MethodCall, c.serial
	raw, err := m.Encode()
	if err != nil {
		return nil, err
	}
	if err := c.write(raw); err != nil {
		return nil, err
	}
	for {
		answer, err := c.next()
		if err != nil {
			return nil, err
		}
		if answer.Reply != m.Serial || answer.Kind == Signal || answer.Kind == MethodCall || !answers(answer.Sender, m.Destination) {
			continue
		}
		if answer.Kind == MethodError {
			e := &Error{Name: answer.ErrorName}
			if strings.HasPrefix(answer.Signature, "s") {
				e.Text = answer.Decoder().String()
			}
			return nil, e
		}
		return answer, nil
	}
}

// answers tells whether the sender of an answer is whom the call went to. The bus answers instead
// of one who is gone. Who was called by a well-known name answers under another; and without a bus
// there are no names.
func answers(sender, destination string) bool {
	return sender == destination || sender == BusName || sender == "" || !strings.HasPrefix(destination, ":")
}
