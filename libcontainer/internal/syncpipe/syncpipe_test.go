package syncpipe

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"oci-run/libcontainer/internal/syncpipe/wire"
	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// deafHandler does nothing of what init asks.
type deafHandler struct{ mounts int }

func (h *deafHandler) MountFD(int) (*os.File, error) { h.mounts++; return os.Open("/dev/null") }
func (*deafHandler) Hooks() error                    { return nil }
func (*deafHandler) Limits() error                   { return nil }
func (*deafHandler) Log(int, string)                 {}

// packets cuts data into messages: a byte says how long each is, and its upper bits how many fds
// ride along.
func packets(data []byte, emit func(packet []byte, fds int)) {
	for len(data) > 0 {
		size, fds := int(data[0]&63), int(data[0]>>6)
		data = data[1:]
		size = min(size, len(data))
		if size > 0 { // an empty packet is an end-of-file
			emit(data[:size], fds)
		}
		data = data[size:]
	}
}

// speak sends what data holds as one end, and closes it.
func speak(t *testing.T, as *os.File, data []byte) {
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	e := end{f: as}
	sent := 0
	packets(data, func(packet []byte, fds int) {
		if sent++; sent > 64 { // what a socket holds without a reader
			return
		}
		files := []*os.File{null, null, null}[:fds]
		if err := e.send(kind(packet[0]), packet[1:], files...); err != nil {
			t.Fatal(err)
		}
	})
	e.Close()
}

// FuzzMessages: whatever one end says, and with whatever fds, the other one ends with an answer,
// and keeps no fd that it did not ask for.
func FuzzMessages(f *testing.F) {
	message := func(k kind, fds byte, payload []byte) []byte {
		return append([]byte{fds<<6 | byte(1+len(payload)), byte(k)}, payload...)
	}
	f.Add(append(message(mountFD, 0, []byte{2}), message(ready, 0, nil)...))
	f.Add(message(failed, 0, wire.Marshal(&Failure{"mount", "/mounts/0", "no", "/x", 2})))
	f.Add(message(listener, 1, nil))
	f.Add(message(ready, 2, []byte{8}))
	f.Add(message(config, 1, nil))
	f.Add(message(config, 1, wire.Append(wire.Marshal(&[]string{"start"}), &samplePlan{"short", nil})))
	f.Add(message(config, 2, wire.Marshal(&[]string{"plan", "start"})))
	f.Add(message(logged, 0, wire.Marshal(&logEntry{4, "text"})))
	f.Fuzz(func(t *testing.T, data []byte) {
		fdleak.Check(t)
		for _, listen := range []func(p *Parent){serve, follow, obey} {
			p, child, err := Pair()
			if err != nil {
				t.Fatal(err)
			}
			speak(t, child, data)
			listen(p)
			p.Close()
		}
	})
}

func serve(p *Parent) {
	if err := p.Serve(&deafHandler{}); err == nil {
		_, _ = p.Waiting()
	}
}

func follow(p *Parent) {
	_ = p.follow(func(*os.File) error { return nil }, func() error { return nil })
}

// obey is init, as far as it receives.
func obey(p *Parent) {
	i := &Init{p.end}
	var plan samplePlan
	files, err := i.Config(&plan)
	if err != nil {
		return
	}
	if file, err := files.Take("start"); err == nil {
		file.Close()
	}
	_ = files.Close()
	if file, err := i.MountFD(0); err == nil {
		file.Close()
	}
	_ = i.Hooks()
	_ = i.Limits()
}

// What init says before it ends arrives, even if it has not received what was sent to it.
func TestFailureWithUnreadMessage(t *testing.T) {
	p, child, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Committed(); err != nil {
		t.Fatal(err)
	}
	i := &Init{end{f: child}}
	if err := i.Failed(&Failure{Text: "no such file"}); err != nil {
		t.Fatal(err)
	}
	i.Close()
	f, isFailure := errors.AsType[*Failure](p.Serve(&deafHandler{}))
	if !isFailure || f.Text != "no such file" {
		t.Errorf("Serve: %v", f)
	}
	if err := p.Serve(&deafHandler{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

// A parent that is gone is noticed, as is an init that is.
func TestClosed(t *testing.T) {
	p, child, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	child.Close()
	if err := p.Serve(&deafHandler{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if err := p.Committed(); !errors.Is(err, ErrClosed) {
		t.Errorf("Committed: %v", err)
	}
}

// Whatever the length of what init says, it arrives, with its beginning and its end.
func TestLongMessages(t *testing.T) {
	long := strings.Repeat("many words ", 100_000)
	for _, f := range []*Failure{
		{Step: "program", Text: "exec: \"" + long + "\": not found", Errno: syscall.ENOENT},
		{Step: "sysctl", Text: "exec: \"x\": not found", Pointer: "exec: /linux/sysctl/" + long, Errno: syscall.ENOENT},
	} {
		p, child, err := Pair()
		if err != nil {
			t.Fatal(err)
		}
		i := &Init{end{f: child}}
		i.Log(4, long)
		if err := i.Failed(f); err != nil {
			t.Error(err)
		}
		i.Close()
		got, isFailure := errors.AsType[*Failure](p.Serve(&deafHandler{}))
		if !isFailure || got.Errno != f.Errno || got.Step != f.Step {
			t.Fatalf("Serve: %+v", got)
		}
		if !strings.HasPrefix(got.Text, "exec: ") || !strings.HasSuffix(got.Text, ": not found") {
			t.Errorf("got %.100q", got.Text)
		}
		p.Close()
	}
}

// What doesn't fit is not cut off without a word.
func TestTooLong(t *testing.T) {
	p, child, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	defer child.Close()
	if err := p.send(config, make([]byte, maxPacket)); err == nil {
		t.Error("a message that is too long was sent")
	}
}

// An end receives into the same memory again and again; another one has its own.
func TestInbox(t *testing.T) {
	p, i := pair(t)
	if allocated := testing.AllocsPerRun(20, func() {
		if err := p.Committed(); err != nil {
			t.Error(err)
		}
		if err := i.await(committed); err != nil {
			t.Error(err)
		}
	}); allocated > 4 {
		t.Errorf("%.0f allocations for an empty message", allocated)
	}
	other, theirs := pair(t)
	if err := errors.Join(p.send(logged, []byte("first")), other.send(logged, []byte("other"))); err != nil {
		t.Fatal(err)
	}
	a, err := i.receive()
	if err != nil {
		t.Fatal(err)
	}
	b, err := theirs.receive()
	if err != nil || string(a.payload) != "first" || string(b.payload) != "other" {
		t.Errorf("%q, %q, %v", a.payload, b.payload, err)
	}
}
