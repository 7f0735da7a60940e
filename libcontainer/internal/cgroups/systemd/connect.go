// Package systemd has the system's or the user's systemd make a scope unit for a container.
//
// It brings a D-Bus client of its own (package dbus): a container needs ten different calls, and
// go-systemd with godbus would cost every start of the program 5 % of its CPU time
// (docs/design/dependencies.md).
package systemd

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/cgroups/systemd/dbus"
)

const (
	destination = "org.freedesktop.systemd1"
	managerPath = "/org/freedesktop/systemd1"
	managerName = "org.freedesktop.systemd1.Manager"
	unitName    = "org.freedesktop.systemd1.Unit"
	scopeName   = "org.freedesktop.systemd1.Scope"
)

// A daemon-reexec closes the manager's sockets and opens them again. It takes a fraction of a
// second, on a large host some.
const (
	redialTime = 5 * time.Second
	redialStep = 10 * time.Millisecond
	bindTime   = 50 * time.Millisecond // it removes an old socket just before it makes the new one
	maxRedials = 3                     // a systemd that hangs up on what we say would do so forever
)

// Conn is a connection to a systemd manager. It is not safe for concurrent use.
type Conn struct {
	user     bool
	timeout  time.Duration
	deadline time.Time
	redials  int
	version  int // of systemd, once it was needed

	bus     *dbus.Conn
	owner   string            // systemd's unique name, "" on a direct connection
	removed map[string]string // results of ended jobs, by object path
}

// isError tells whether err is one of systemd's own errors.
func isError(err error, name string) bool { return dbus.IsError(err, destination+"."+name) }

// address is a socket on which a manager listens, or a message bus.
type address struct {
	socket string
	bus    bool
}

// Dial connects to the manager of the system, or of the calling user. The managers' own sockets
// come first, the message bus, which relays everything, second. The timeout is that of all that the
// connection is used for: addresses, answers and the ends of jobs together.
func Dial(user bool, timeout time.Duration) (*Conn, error) {
	c := &Conn{user: user, timeout: timeout, deadline: time.Now().Add(timeout)}
	if err := trace.Do("connect to systemd", c.dial); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends the connection.
func (c *Conn) Close() {
	if c.bus != nil {
		c.bus.Close()
		c.bus = nil
	}
}

// dial connects, and tries that again for some time while a manager is being executed anew.
func (c *Conn) dial() error {
	begin, was := time.Now(), c.redials > 0
	for {
		err := c.dialAny()
		was = was || interrupted(err) // there is one, or was
		patience := time.Duration(0)
		switch absent := errors.Is(err, unix.ENOENT); {
		case interrupted(err): // it is there, and takes its time: ten seconds have been seen
			patience = c.timeout
		case absent && was:
			patience = redialTime
		case absent:
			patience = bindTime
		}
		if time.Since(begin) >= patience || time.Now().After(c.deadline) {
			return c.explain(err)
		}
		time.Sleep(redialStep)
	}
}

func (c *Conn) dialAny() error {
	list, errs := addresses(c.user)
	for _, a := range list {
		err := c.dialOne(a)
		if err == nil {
			return nil
		}
		c.Close()
		errs = append(errs, err)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break // there is one deadline for all
		}
	}
	if c.user && len(list) == 0 {
		errs = append(errs, errors.New("set XDG_RUNTIME_DIR or DBUS_SESSION_BUS_ADDRESS; a login session with dbus-user-session has both"))
	}
	err := errs[0]
	for _, e := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, e) // on one line
	}
	return fmt.Errorf("connect to systemd: %w", err)
}

// addresses lists where to look for the manager, each place once.
func addresses(user bool) (list []address, errs []error) {
	variable, direct, bus := "DBUS_SYSTEM_BUS_ADDRESS", "/run/systemd/private", "/run/dbus/system_bus_socket"
	if user {
		variable, direct, bus = "DBUS_SESSION_BUS_ADDRESS", "", dbus.UserBus()
		if bus != "" {
			direct = filepath.Dir(bus) + "/systemd/private"
		}
	}
	sockets, errs := dbus.ParseAddresses(os.Getenv(variable))
	if !user && len(sockets)+len(errs) > 0 {
		direct, bus = "", "" // who names the system's bus means that one and no other
	}
	if direct != "" {
		list = append(list, address{direct, false})
	}
	if bus != "" && !slices.Contains(sockets, bus) {
		sockets = append(sockets, bus)
	}
	for i, socket := range sockets {
		if !slices.Contains(sockets[:i], socket) {
			list = append(list, address{socket, true})
		}
	}
	return list, errs
}

func (c *Conn) dialOne(a address) (err error) {
	if c.bus, err = dbus.Dial(a.socket, c.deadline); err != nil {
		return err
	}
	c.removed, c.owner = map[string]string{}, ""
	c.bus.OnSignal = c.note
	if !a.bus {
		return nil // a direct connection gets the signals of jobs without asking
	}
	if err := c.introduce(); err != nil {
		return fmt.Errorf("%q: %w", a.socket, err)
	}
	return nil
}

// introduce says hello to a message bus and has it tell about ended jobs, and about the end of the
// systemd that is there now.
func (c *Conn) introduce() error {
	if _, err := c.askBus("Hello"); err != nil {
		return err
	}
	owner, err := c.askBus("GetNameOwner", destination)
	if err != nil {
		return err
	}
	c.owner = owner.Decoder().String()
	for _, match := range [...]string{
		"type='signal',sender='" + destination + "',interface='" + managerName + "',member='JobRemoved'",
		"type='signal',sender='" + dbus.BusName + "',member='NameOwnerChanged',arg0='" + destination + "'",
	} {
		if _, err := c.askBus("AddMatch", match); err != nil {
			return err
		}
	}
	_, err = c.manager("Subscribe")
	if isError(err, "AlreadySubscribed") {
		return nil
	}
	return err
}

func (c *Conn) askBus(member string, args ...any) (*dbus.Message, error) {
	return c.call(&dbus.Message{Destination: dbus.BusName, Path: dbus.BusPath, Interface: dbus.BusName, Member: member}, args...)
}

// manager calls a method of the manager.
func (c *Conn) manager(member string, args ...any) (*dbus.Message, error) {
	return c.ask(managerPath, managerName, member, args...)
}

// ask calls a method of one of systemd's objects. On a bus it goes to the unique name: what comes
// from there is from the systemd that was asked, and not from one that was executed anew since, nor
// from anybody else.
func (c *Conn) ask(path, iface, member string, args ...any) (*dbus.Message, error) {
	return c.call(&dbus.Message{Destination: cmp.Or(c.owner, destination), Path: path, Interface: iface, Member: member}, args...)
}

func (c *Conn) call(m *dbus.Message, args ...any) (*dbus.Message, error) {
	e := &dbus.Encoder{}
	for _, arg := range args {
		if a, ok := arg.(argument); ok {
			m.Signature += a.signature()
			a.encode(e)
			continue
		}
		m.Signature += dbus.Signature(arg)
		e.Value(arg)
	}
	if err := e.Err(); err != nil {
		return nil, err
	}
	m.Body = e.Bytes()
	span := trace.Begin("call systemd")
	span.Set("method", m.Member)
	span.Set("object", m.Path)
	answer, err := c.bus.Call(m)
	span.End(err)
	return answer, err
}

// argument is one that package dbus has no Go type for.
type argument interface {
	signature() string
	encode(*dbus.Encoder)
}

// note looks at a signal. JobRemoved has the end of a job, and may come before the answer to the
// call that made the job. Anybody on a bus can send such a signal; only systemd's counts.
func (c *Conn) note(m *dbus.Message) error {
	switch {
	case m.Member == "NameOwnerChanged" && m.Sender == dbus.BusName && m.Signature == "sss":
		if d := m.Decoder(); d.String() == destination {
			return replaced{}
		}
	case m.Member == "JobRemoved" && m.Sender == c.sender(m) && m.Path == managerPath && m.Interface == managerName && m.Signature == "uoss":
		d := m.Decoder()
		_, job, _, result := d.Uint32(), d.String(), d.String(), d.String()
		if d.Err() == nil {
			c.removed[job] = result
		}
	}
	return nil
}

// sender is who has to have sent a signal of systemd's. On a direct connection there is nobody
// else, and names mean nothing.
func (c *Conn) sender(m *dbus.Message) string {
	if c.owner == "" {
		return m.Sender
	}
	return c.owner
}

// replaced is the error for a systemd that left the bus, or came back to it.
type replaced struct{}

func (replaced) Error() string        { return "systemd was executed anew" }
func (replaced) Is(target error) bool { return target == unix.ECONNRESET }

// interrupted tells whether err means that the manager went away, as it does for a moment in a
// daemon-reexec: what was asked has either been done or not.
func interrupted(err error) bool {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	for _, errno := range [...]unix.Errno{unix.ECONNRESET, unix.ECONNREFUSED, unix.EPIPE} {
		if errors.Is(err, errno) {
			return true
		}
	}
	for _, name := range [...]string{"NoReply", "Disconnected", "ServiceUnknown", "NameHasNoOwner"} {
		if dbus.IsError(err, dbus.BusName+".Error."+name) {
			return true
		}
	}
	return false
}

// muteError is a missed deadline.
type muteError struct {
	timeout time.Duration
	err     error
}

func (e *muteError) Error() string {
	return fmt.Sprintf("systemd does not answer within %v: %v", e.timeout, e.err)
}
func (e *muteError) Unwrap() error { return e.err }

// explain makes a missed deadline readable.
func (c *Conn) explain(err error) error {
	if mute := (*muteError)(nil); !errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &mute) {
		return err
	}
	return &muteError{c.timeout, err}
}

// retry has do ask systemd for something that may be asked twice, and asks again on a new
// connection if the first broke.
func (c *Conn) retry(do func() error) error {
	for {
		err := do()
		if !interrupted(err) {
			return c.explain(err)
		}
		if rerr := c.redial(); rerr != nil {
			return fmt.Errorf("%w; %w", err, rerr)
		}
	}
}

func (c *Conn) redial() error {
	if c.redials++; c.redials > maxRedials {
		return fmt.Errorf("systemd hung up %d times", c.redials)
	}
	c.Close()
	c.version = 0 // it may be another systemd's now
	return c.dial()
}

// await waits for the end of a job and returns its result, "done" if all is well.
func (c *Conn) await(job string) (_ string, err error) {
	span := trace.Begin("wait for systemd")
	span.Set("job", job)
	defer func() { span.End(err) }()
	for {
		if result, ok := c.removed[job]; ok {
			delete(c.removed, job)
			return result, nil
		}
		if err := c.bus.Wait(); err != nil {
			return "", err
		}
	}
}
