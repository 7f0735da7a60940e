package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"oci-run/libcontainer/internal/cgroups/systemd/dbus"
)

// both runs a test against a manager's own socket and against one behind a bus.
func both(t *testing.T, test func(t *testing.T, m *manager)) {
	for _, bus := range []bool{false, true} {
		t.Run(map[bool]string{false: "direct", true: "bus"}[bus], func(t *testing.T) { test(t, newManager(t, bus)) })
	}
}

func TestLife(t *testing.T) {
	both(t, func(t *testing.T, m *manager) {
		c := m.dial()
		id, err := c.StartUnit("a.scope", 7, []Property{{Name: "TasksMax", Value: uint64(9)}})
		if err != nil || len(id) != 32 {
			t.Fatalf("%q, %v", id, err)
		}
		if err := c.SetProperties("a.scope", []Property{{Name: "TasksMax", Value: uint64(8)}}); err != nil {
			t.Error(err)
		}
		got, err := c.Properties("a.scope", []Property{{Name: "TasksMax"}})
		if d := cmp.Diff([]Property{{Name: "TasksMax", Value: uint64(8)}}, got); d != "" || err != nil {
			t.Errorf("%v, %s", err, d)
		}
		if foreign, err := c.StopUnit("a.scope", id); foreign || err != nil {
			t.Errorf("%v, %v", foreign, err)
		}
		if foreign, err := c.StopUnit("a.scope", id); foreign || err != nil {
			t.Errorf("%v, %v", foreign, err)
		}
		m.with(func() {
			if len(m.units) > 0 {
				t.Error("the unit is still there")
			}
		})
	})
}

// mute listens on a socket, says what it is told to whoever connects, and then nothing.
func mute(t *testing.T, path, says string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			_, _ = c.Write([]byte(says))
		}
	}()
}

// A manager that hangs is waited for once, whichever step it hangs in and however many addresses it
// has.
func TestOneDeadline(t *testing.T) {
	const limit = 200 * time.Millisecond
	for _, says := range []string{"", "DATA\r\n", "DATA\r\nOK 0123\r\n"} {
		t.Run(fmt.Sprintf("%q", says), func(t *testing.T) {
			dir := t.TempDir()
			mute(t, dir+"/systemd/private", says)
			mute(t, dir+"/bus", says)
			mute(t, dir+"/other", says)
			t.Setenv("XDG_RUNTIME_DIR", dir)
			t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+dir+"/bus;unix:path="+dir+"/other;unix:path="+dir+"/bus,guid=1")
			begin := time.Now()
			c, err := Dial(true, limit)
			if err == nil {
				defer c.Close()
				_, err = c.StartUnit("a.scope", 1, nil)
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) || strings.Count(err.Error(), "systemd does not answer within 200ms") != 1 {
				t.Errorf("%v", err)
			}
			if took := time.Since(begin); took > 3*limit/2 {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A manager that stops to answer in the middle is as mute, and so is one that only sends signals.
func TestMuteLater(t *testing.T) {
	both(t, func(t *testing.T, m *manager) {
		for _, member := range []string{"StartTransientUnit", "StopUnit", "SetUnitProperties", "Get", "GetUnit", "AttachProcessesToUnit"} {
			m.with(func() {
				m.before = nil
				m.units = map[string]*unit{"b.scope": {state: "active", properties: map[string]any{}}}
			})
			m.once.Do(m.open)
			c, err := Dial(!m.bus, 150*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			m.with(func() {
				m.before = func(called string, _ int) string { return map[bool]string{true: silence}[called == member] }
			})
			var errs []error
			_, err = c.StartUnit("a.scope", 1, nil)
			errs = append(errs, err)
			_, err = c.StopUnit("b.scope", "")
			errs = append(errs, err, c.SetProperties("b.scope", []Property{{Name: "CPUWeight", Value: uint64(1)}}), c.Attach("b.scope", "/", []uint32{1}))
			if !slices.ContainsFunc(errs, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }) {
				t.Errorf("%s: %v", member, errs)
			}
			c.Close()
		}
	})
}

// A daemon-reexec breaks connections off, before or after what was asked has been done. A unit is
// started once in any case.
func TestReexec(t *testing.T) {
	both(t, func(t *testing.T, m *manager) {
		for _, done := range []bool{false, true} {
			for _, how := range []string{hangUp, reexec, leaveBus} {
				if how == leaveBus && !m.bus {
					continue
				}
				for _, member := range []string{"Hello", "StartTransientUnit", "Get", "GetUnit", "SetUnitProperties", "StopUnit", "ResetFailedUnit"} {
					t.Run(fmt.Sprintf("%s at %s, done=%v", how, member, done), func(t *testing.T) { reexecAt(t, m, member, how, done) })
				}
			}
		}
	})
}

func reexecAt(t *testing.T, m *manager, member, how string, done bool) {
	m.with(func() {
		m.calls, m.units, m.before, m.after = nil, map[string]*unit{}, nil, nil
		if done {
			m.after = first(member, how)
		} else {
			m.before = first(member, how)
		}
	})
	c := m.dial()
	id, err := c.StartUnit("a.scope", 7, []Property{{Name: "OOMPolicy", Value: "kill"}})
	if err != nil || id == "" {
		t.Fatalf("%q, %v", id, err)
	}
	if starts := m.count("StartTransientUnit"); starts > 2 || (done && starts > 1) {
		t.Errorf("started %d times", starts)
	}
	if err := c.SetProperties("a.scope", []Property{{Name: "TasksMax", Value: uint64(8)}}); err != nil {
		t.Error(err)
	}
	if foreign, err := c.StopUnit("a.scope", id); err != nil || foreign {
		t.Errorf("%v, %v", foreign, err)
	}
}

// After a broken connection a unit of that name may be somebody else's.
func TestReexecForeign(t *testing.T) {
	both(t, func(t *testing.T, m *manager) {
		m.units["a.scope"] = &unit{state: "active", invocation: "0123456789abcdef", properties: map[string]any{}}
		m.pids[7] = "shell.scope"
		m.after = first("StartTransientUnit", hangUp)
		if _, err := m.dial().StartUnit("a.scope", 7, nil); !isError(err, "UnitExists") {
			t.Errorf("%v", err)
		}
	})
}

// A systemd that hangs up on whatever it is told is not asked for ever.
func TestHangsUpForEver(t *testing.T) {
	both(t, func(t *testing.T, m *manager) {
		m.before = func(member string, _ int) string { return map[bool]string{true: hangUp}[member == "SetUnitProperties"] }
		m.units["a.scope"] = &unit{state: "active", properties: map[string]any{}}
		err := m.dial().SetProperties("a.scope", []Property{{Name: "TasksMax", Value: uint64(8)}})
		if err == nil || m.count("SetUnitProperties") > maxRedials+1 {
			t.Errorf("%v after %d", err, m.count("SetUnitProperties"))
		}
	})
}

// The end of a job is what systemd says it is, and nobody else on the bus.
func TestForgedJob(t *testing.T) {
	m := newManager(t, true)
	m.forge = func(job string) []*dbus.Message {
		wrongPath := jobRemoved(uniqueName, job, "failed")
		wrongPath.Path = "/elsewhere"
		return []*dbus.Message{
			jobRemoved(":1.66", job, "failed"), jobRemoved("", job, "failed"), jobRemoved(destination, job, "failed"), wrongPath,
			message(dbus.Signal, ":1.66", "NameOwnerChanged", "sss", destination, uniqueName, ""),
		}
	}
	if _, err := m.dial().StartUnit("a.scope", 7, nil); err != nil {
		t.Error(err)
	}
	if n := m.count("StartTransientUnit") + m.count("Hello"); n != 2 {
		t.Errorf("%d calls", n)
	}
}

// Nor does an answer count that somebody else sends.
func TestForgedAnswer(t *testing.T) {
	m := newManager(t, true)
	c := m.dial()
	m.with(func() { m.forge = forgedAnswers })
	if _, err := c.StartUnit("a.scope", 7, nil); err != nil {
		t.Error(err)
	}
}

func forgedAnswers(string) []*dbus.Message {
	var out []*dbus.Message
	for serial := uint32(1); serial < 20; serial++ {
		a := message(dbus.MethodReturn, ":1.66", "", "o", managerPath+"/job/99")
		a.Reply = serial
		out = append(out, a)
	}
	return out
}

// A failed unit of the same name gives way, one that runs doesn't.
func TestUnitExists(t *testing.T) {
	both(t, func(t *testing.T, m *manager) {
		m.units["a.scope"] = &unit{state: "failed"}
		m.units["b.scope"] = &unit{state: "active"}
		c := m.dial()
		if _, err := c.StartUnit("a.scope", 7, nil); err != nil {
			t.Error(err)
		}
		if _, err := c.StartUnit("b.scope", 7, nil); !isError(err, "UnitExists") {
			t.Errorf("%v", err)
		}
	})
}

// A process that ends as soon as it has a unit is not a reason for an error of systemd's.
func TestUnitEndsAtOnce(t *testing.T) {
	both(t, func(t *testing.T, m *manager) {
		m.after = func(string, int) string {
			delete(m.units, "a.scope")
			return ""
		}
		if id, err := m.dial().StartUnit("a.scope", 7, nil); id != "" || err != nil {
			t.Errorf("%q, %v", id, err)
		}
	})
}

// Another unit that has the name now is neither stopped nor reset.
func TestForeignUnit(t *testing.T) {
	both(t, func(t *testing.T, m *manager) {
		c := m.dial()
		id, err := c.StartUnit("a.scope", 7, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range []string{"active", "failed"} {
			m.with(func() { m.units["a.scope"] = &unit{state: state, invocation: "another one's id"} })
			if foreign, err := c.StopUnit("a.scope", id); !foreign || err != nil {
				t.Errorf("%v, %v", foreign, err)
			}
			if foreign, err := c.ForgetUnit("a.scope", id); !foreign || err != nil {
				t.Errorf("%v, %v", foreign, err)
			}
			m.with(func() {
				if m.units["a.scope"] == nil {
					t.Error("it is gone")
				}
			})
		}
	})
}

func TestAddresses(t *testing.T) {
	const direct, bus = "/run/systemd/private", "/run/dbus/system_bus_socket"
	for _, c := range []struct {
		user    bool
		env     string
		runtime string
		want    []address
		bad     int
	}{
		{want: []address{{direct, false}, {bus, true}}},
		{env: "unix:path=/x", want: []address{{"/x", true}}},
		{env: "tcp:host=a,port=1", bad: 1},
		{user: true, runtime: "/r", want: []address{{"/r/systemd/private", false}, {"/r/bus", true}}},
		{user: true, runtime: "/r", env: "unix:path=/r/bus,guid=12", want: []address{{"/r/systemd/private", false}, {"/r/bus", true}}},
		{user: true, runtime: "/r", env: "unix:abstract=x;unix:path=/y", want: []address{{"/r/systemd/private", false}, {"@x", true}, {"/y", true}, {"/r/bus", true}}},
		{user: true, env: "unix:guid=1,path=/%61;unix:path=/a", want: []address{{"/a", true}}},
		{user: true},
	} {
		t.Setenv("XDG_RUNTIME_DIR", c.runtime)
		t.Setenv(map[bool]string{false: "DBUS_SYSTEM_BUS_ADDRESS", true: "DBUS_SESSION_BUS_ADDRESS"}[c.user], c.env)
		got, errs := addresses(c.user)
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(address{})); d != "" || len(errs) != c.bad {
			t.Errorf("%q: %v, %s", c.env, errs, d)
		}
	}
}

// A user who is in no session is told what is missing, and without anything there nothing is waited
// for.
func TestNobodyThere(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	if _, err := Dial(true, time.Second); err == nil || !strings.Contains(err.Error(), "set XDG_RUNTIME_DIR") {
		t.Errorf("%v", err)
	}
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	begin := time.Now()
	if _, err := Dial(true, time.Minute); err == nil || time.Since(begin) > time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

// A dial that comes while systemd is being executed anew waits for it to listen again: there is an
// old socket, or for a moment none.
func TestDialBetween(t *testing.T) {
	both(t, func(t *testing.T, m *manager) {
		m.once.Do(m.open)
		m.close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(200 * time.Millisecond)
			_ = os.Remove(m.path)
			time.Sleep(5 * time.Millisecond)
			m.open()
		}()
		c := m.dial()
		<-done
		if _, err := c.StartUnit("a.scope", 7, nil); err != nil {
			t.Error(err)
		}
	})
}
