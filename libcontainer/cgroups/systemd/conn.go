// Package systemd has the system's or the user's systemd make a scope unit for a container, over a D-Bus client of its
// own: a container needs five different calls, and go-systemd with godbus would cost every start of the program 0.1 ms.
// Every exchange has a deadline.
package systemd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// timeout bounds each operation. Starting a unit takes milliseconds, but seconds were seen on busy hosts.
const timeout = 30 * time.Second

const (
	destination = "org.freedesktop.systemd1"
	managerPath = "/org/freedesktop/systemd1"
	managerName = "org.freedesktop.systemd1.Manager"
)

// Conn is a connection to a systemd manager. It is not safe for concurrent use.
type Conn struct {
	fd       int
	bus      bool // by way of a message bus, not direct
	serial   uint32
	deadline time.Time
	pending  []byte
	removed  map[string]string // results of ended jobs, by object path
}

// Error is an answer that says no.
type Error struct{ Name, Text string }

func (e *Error) Error() string { return e.Text + " (" + e.Name + ")" }

// isError tells whether err is the D-Bus error of a name.
func isError(err error, name string) bool {
	var e *Error
	return errors.As(err, &e) && e.Name == destination+"."+name
}

// Dial connects to the manager of the system, or of the calling user. The managers' own sockets come first, the message
// bus, which relays everything, second.
func Dial(user bool) (*Conn, error) {
	var errs []error
	for _, a := range addresses(user) {
		c, err := dial(a.path, a.bus)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	if user {
		errs = append(errs, errors.New("set XDG_RUNTIME_DIR or DBUS_SESSION_BUS_ADDRESS; a login session with dbus-user-session has both"))
	}
	return nil, fmt.Errorf("connect to systemd: %w", errors.Join(errs...))
}

type address struct {
	path string
	bus  bool
}

func addresses(user bool) []address {
	if !user {
		return []address{{"/run/systemd/private", false}, {"/run/dbus/system_bus_socket", true}}
	}
	var out []address
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		out = append(out, address{filepath.Join(dir, "systemd/private"), false}, address{filepath.Join(dir, "bus"), true})
	}
	for part := range strings.SplitSeq(os.Getenv("DBUS_SESSION_BUS_ADDRESS"), ";") {
		if path, ok := strings.CutPrefix(part, "unix:path="); ok {
			path, _, _ = strings.Cut(path, ",")
			out = append(out, address{path, true})
		} else if name, ok := strings.CutPrefix(part, "unix:abstract="); ok {
			name, _, _ = strings.Cut(name, ",")
			out = append(out, address{"@" + name, true})
		}
	}
	return out
}

func dial(path string, bus bool) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &Conn{fd: fd, bus: bus, removed: map[string]string{}}
	c.begin()
	if err := c.open(path); err != nil {
		c.Close()
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	return c, nil
}

// open connects, authenticates and, on a bus, introduces itself.
//
// EXTERNAL without an identity has the other end take the one that the kernel tells it, which is right in a user
// namespace, too, where the caller doesn't know its real user id. Everything is sent at once.
func (c *Conn) open(path string) error {
	if err := c.connect(path); err != nil {
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
	if !c.bus {
		return nil // a direct connection gets the signals of jobs without asking
	}
	const bus = "org.freedesktop.DBus"
	if _, err := c.call(bus, "/org/freedesktop/DBus", bus, "Hello", "", nil); err != nil {
		return err
	}
	match := &encoder{}
	match.string("type='signal',sender='" + destination + "',interface='" + managerName + "',member='JobRemoved'")
	if _, err := c.call(bus, "/org/freedesktop/DBus", bus, "AddMatch", "s", match.buf); err != nil {
		return err
	}
	_, err := c.call(destination, managerPath, managerName, "Subscribe", "", nil)
	if isError(err, "AlreadySubscribed") {
		return nil
	}
	return err
}

func (c *Conn) connect(path string) error {
	for {
		err := unix.Connect(c.fd, &unix.SockaddrUnix{Name: path})
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EAGAIN: // the listener's queue is full
			if time.Now().After(c.deadline) {
				return timeoutError{}
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

// begin starts the clock for the next operation.
func (c *Conn) begin() { c.deadline = time.Now().Add(timeout) }

// timeoutError is a type because an error made with fmt.Errorf would cost every start of the program.
type timeoutError struct{}

func (timeoutError) Error() string     { return "systemd does not answer within " + timeout.String() }
func (timeoutError) Is(err error) bool { return err == os.ErrDeadlineExceeded }

// wait waits until the socket is readable or writable.
func (c *Conn) wait(events int16) error {
	for {
		left := time.Until(c.deadline)
		if left <= 0 {
			return timeoutError{}
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
			return errors.New("systemd hung up")
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

// next reads a message.
func (c *Conn) next() (*message, error) {
	if err := c.fill(16); err != nil {
		return nil, err
	}
	size, err := messageSize(c.pending)
	if err != nil {
		return nil, err
	}
	if err := c.fill(size); err != nil {
		return nil, err
	}
	m, err := parseMessage(c.pending[:size:size])
	c.pending = c.pending[size:]
	return m, err
}

// call calls a method and waits for the answer.
func (c *Conn) call(to, path, iface, member, sig string, body []byte) (*message, error) {
	c.serial++
	serial := c.serial
	if err := c.write(encodeCall(serial, to, path, iface, member, sig, body)); err != nil {
		return nil, err
	}
	for {
		m, err := c.next()
		if err != nil {
			return nil, err
		}
		c.note(m)
		if m.reply != serial || m.kind == signal {
			continue
		}
		if m.kind == methodError {
			e := &Error{Name: m.errName}
			if strings.HasPrefix(m.sig, "s") {
				e.Text = m.decoder().string()
			}
			return nil, e
		}
		return m, nil
	}
}

// note remembers the end of a job. Its signal may come before the answer to the call that made the job.
func (c *Conn) note(m *message) {
	if m.kind != signal || m.member != "JobRemoved" || m.sig != "uoss" {
		return
	}
	d := m.decoder()
	d.u32()
	job := d.string()
	d.string()
	if result := d.string(); d.err == nil {
		c.removed[job] = result
	}
}

// await waits for the end of a job and returns its result, "done" if all is well.
func (c *Conn) await(job string) (string, error) {
	for {
		if result, ok := c.removed[job]; ok {
			delete(c.removed, job)
			return result, nil
		}
		m, err := c.next()
		if err != nil {
			return "", err
		}
		c.note(m)
	}
}
