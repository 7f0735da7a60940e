package systemd

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"oci-run/libcontainer/internal/cgroups/systemd/dbus"
)

// manager is a systemd, or a message bus with one on it, that does what a test wants of it. It is
// another end of a real socket and knows of the client only what arrives there.
type manager struct {
	t       *testing.T
	path    string
	bus     bool
	version string
	owner   string

	once   sync.Once
	mutex  sync.Mutex
	listen *net.UnixListener
	conns  []net.Conn
	units  map[string]*unit
	pids   map[uint32]string
	calls  []string // names of methods, as they came
	jobs   int

	// before and after are asked about each call, and what they return is done instead of an
	// answer: "" is to answer. The call has been carried out when after is asked.
	before, after func(member string, nth int) string
	forge         func(job string) []*dbus.Message // signals that come before that of the end of a job
}

// unit is one that was started.
type unit struct {
	properties        map[string]any
	state, invocation string
}

// What before and after can want.
const (
	silence  = "silence"
	hangUp   = "hang up"
	reexec   = "reexec"
	leaveBus = "leave the bus" // systemd is executed anew, the bus remains
)

const uniqueName = ":1.1"

// newManager starts a direct manager of the user, or a bus as the system's.
func newManager(t *testing.T, bus bool) *manager {
	t.Helper()
	dir := t.TempDir()
	m := &manager{t: t, bus: bus, version: "257.9-1", units: map[string]*unit{}, pids: map[uint32]string{}, owner: uniqueName}
	if bus {
		m.path = filepath.Join(dir, "a bus")
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:guid=00,path="+strings.ReplaceAll(m.path, " ", "%20"))
	} else {
		m.path = filepath.Join(dir, "systemd/private")
		t.Setenv("XDG_RUNTIME_DIR", dir)
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
		if err := os.Mkdir(filepath.Dir(m.path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(m.close)
	return m
}

// dial connects a client to the manager, which listens from the first on.
func (m *manager) dial() *Conn {
	m.t.Helper()
	m.once.Do(m.open)
	c, err := Dial(!m.bus, 3*time.Second)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(c.Close)
	return c
}

func (m *manager) open() {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: m.path})
	if err != nil {
		m.t.Error(err)
		return
	}
	l.SetUnlinkOnClose(false)
	m.mutex.Lock()
	m.listen = l
	m.mutex.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.mutex.Lock()
			m.conns = append(m.conns, c)
			m.mutex.Unlock()
			go m.serve(c)
		}
	}()
}

func (m *manager) close() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.listen != nil {
		m.listen.Close()
	}
	for _, c := range m.conns {
		c.Close()
	}
	m.conns = nil
}

// restart is a daemon-reexec: for a moment nobody is there.
func (m *manager) restart() {
	m.close()
	time.Sleep(30 * time.Millisecond)
	_ = os.Remove(m.path)
	m.open()
}

func (m *manager) serve(c net.Conn) {
	r := bufio.NewReader(c)
	for _, answer := range []string{"", "DATA\r\n", "OK 0123456789abcdef0123456789abcdef\r\n", "-"} {
		if answer == "" {
			continue
		}
		line, err := r.ReadString('\n')
		if err != nil || answer == "-" && line != "BEGIN\r\n" {
			return
		}
		if answer != "-" {
			_, _ = io.WriteString(c, answer)
		}
	}
	for {
		head, err := r.Peek(16)
		if err != nil {
			return
		}
		size := 16 + (int(binary.LittleEndian.Uint32(head[12:]))+7)&^7 + int(binary.LittleEndian.Uint32(head[4:]))
		raw := make([]byte, size)
		if _, err := io.ReadFull(r, raw); err != nil {
			return
		}
		call, err := dbus.Parse(raw)
		if err != nil {
			m.t.Errorf("a call that is not one: %v", err)
			return
		}
		if !m.handle(c, call) {
			return
		}
	}
}

// handle carries out a call. It tells whether the connection is still of use.
func (m *manager) handle(c net.Conn, call *dbus.Message) bool {
	answers, want := m.react(call)
	if want != "" {
		return m.misbehave(c, want)
	}
	for _, a := range answers {
		m.send(c, a)
	}
	return true
}

func (m *manager) react(call *dbus.Message) (answers []*dbus.Message, want string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.calls = append(m.calls, call.Member)
	nth := 0
	for _, member := range m.calls {
		if member == call.Member {
			nth++
		}
	}
	if m.before != nil {
		if want := m.before(call.Member, nth); want != "" {
			return nil, want
		}
	}
	answers = m.answer(call)
	if m.after != nil {
		want = m.after(call.Member, nth)
	}
	return answers, want
}

// with has a test look at the manager or change it while nothing else does.
func (m *manager) with(do func()) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	do()
}

func (m *manager) misbehave(c net.Conn, want string) bool {
	switch want {
	case silence:
		return true
	case reexec:
		m.restart()
	case leaveBus:
		var old string
		m.with(func() { old, m.owner = m.owner, m.owner+"1" })
		m.send(c, message(dbus.Signal, dbus.BusName, "NameOwnerChanged", "sss", destination, old, ""))
		return true
	}
	c.Close()
	return false
}

func (m *manager) send(c net.Conn, a *dbus.Message) {
	a.Serial = 77
	raw, err := a.Encode()
	if err != nil {
		m.t.Error(err)
	}
	_, _ = c.Write(raw)
}

// message makes one of strings and uint32s.
func message(kind byte, sender, member, signature string, values ...any) *dbus.Message {
	e := &dbus.Encoder{}
	for _, v := range values {
		e.Value(v)
	}
	a := &dbus.Message{Kind: kind, Sender: sender, Signature: signature, Body: e.Bytes()}
	if kind == dbus.Signal {
		a.Path, a.Interface, a.Member = managerPath, managerName, member
	}
	return a
}

// jobRemoved is the signal of the end of a job.
func jobRemoved(sender, job, result string) *dbus.Message {
	return message(dbus.Signal, sender, "JobRemoved", "uoss", uint32(1), job, "a.scope", result)
}

func (m *manager) fails(call *dbus.Message, name, text string) []*dbus.Message {
	a := message(dbus.MethodError, m.owner, "", "s", text)
	a.Reply, a.ErrorName = call.Serial, name
	return []*dbus.Message{a}
}

func (m *manager) says(call *dbus.Message, signature string, values ...any) []*dbus.Message {
	a := message(dbus.MethodReturn, m.owner, "", signature, values...)
	if a.Reply = call.Serial; call.Destination == dbus.BusName {
		a.Sender = dbus.BusName
	}
	if signature == "v" {
		e := &dbus.Encoder{}
		e.Variant(values[0])
		a.Body = e.Bytes()
	}
	return []*dbus.Message{a}
}

// answer is what a systemd answers.
func (m *manager) answer(call *dbus.Message) []*dbus.Message {
	args, err := call.Values()
	if err != nil {
		m.t.Errorf("%s: %v", call.Member, err)
	}
	if m.bus && call.Destination != dbus.BusName && call.Destination != m.owner {
		return m.fails(call, dbus.BusName+".Error.ServiceUnknown", "nobody has this name")
	}
	switch call.Member {
	case "Hello", "GetNameOwner":
		return m.says(call, "s", m.owner)
	case "AddMatch", "Subscribe":
		return m.says(call, "")
	case "Get":
		return m.get(call, args[1].(string))
	case "GetUnitByPID":
		if name, ok := m.pids[args[0].(uint32)]; ok {
			return m.says(call, "o", "/unit/"+name)
		}
		return m.fails(call, destination+".NoUnitForPID", "no unit")
	case "StartTransientUnit":
		return m.start(call, args)
	}
	name := args[0].(string)
	u := m.units[name]
	if u == nil {
		return m.fails(call, destination+".NoSuchUnit", "unit "+name+" is not loaded")
	}
	switch call.Member {
	case "GetUnit":
		return m.says(call, "o", "/unit/"+name)
	case "StopUnit":
		delete(m.units, name)
		return m.job(call)
	case "ResetFailedUnit":
		if u.state == "failed" {
			delete(m.units, name)
		}
	case "SetUnitProperties":
		if bad := m.set(u, args[2]); bad != "" {
			return m.fails(call, dbus.BusName+".Error.PropertyReadOnly", "Cannot set property "+bad+", or unknown property.")
		}
	}
	return m.says(call, "")
}

func (m *manager) get(call *dbus.Message, property string) []*dbus.Message {
	if property == "Version" {
		return m.says(call, "v", m.version)
	}
	u := m.units[strings.TrimPrefix(call.Path, "/unit/")]
	switch {
	case u == nil:
		return m.fails(call, dbus.BusName+".Error.UnknownObject", "no such object")
	case property == "ActiveState":
		return m.says(call, "v", u.state)
	case property == "InvocationID":
		return m.says(call, "v", []byte(u.invocation))
	}
	return m.says(call, "v", u.properties[property])
}

// set takes properties that this version has, or names one that it hasn't.
func (m *manager) set(u *unit, list any) string {
	var has int
	_, _ = fmt.Sscanf(m.version, "%d", &has)
	for _, entry := range list.([]any) {
		pair := entry.([]any)
		p := &Property{Name: pair[0].(string), Value: pair[1]}
		if least(p) > has {
			return p.Name
		}
		u.properties[p.Name] = p.Value
	}
	return ""
}

func (m *manager) start(call *dbus.Message, args []any) []*dbus.Message {
	name := args[0].(string)
	if m.units[name] != nil {
		return m.fails(call, destination+".UnitExists", "Unit "+name+" was already loaded or has a fragment file.")
	}
	u := &unit{properties: map[string]any{}, state: "active", invocation: fmt.Sprintf("%016d", len(m.calls))}
	if bad := m.set(u, args[2]); bad != "" {
		return m.fails(call, dbus.BusName+".Error.PropertyReadOnly", "Cannot set property "+bad+", or unknown property.")
	}
	m.units[name] = u
	for _, pid := range u.properties["PIDs"].([]uint32) {
		m.pids[pid] = name
	}
	return m.job(call)
}

// job answers with a job that ends at once; its signal comes first, as it may.
func (m *manager) job(call *dbus.Message) []*dbus.Message {
	m.jobs++
	job := fmt.Sprintf("%s/job/%d", managerPath, m.jobs)
	var out []*dbus.Message
	if m.forge != nil {
		out = m.forge(job)
	}
	return append(append(out, jobRemoved(m.owner, job, "done")), m.says(call, "o", job)...)
}

// count tells how often a method was called.
func (m *manager) count(member string) (n int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, call := range m.calls {
		if call == member {
			n++
		}
	}
	return n
}

// first has something happen to the first call of a method.
func first(member, what string) func(string, int) string {
	return func(called string, nth int) string {
		if called == member && nth == 1 {
			return what
		}
		return ""
	}
}
