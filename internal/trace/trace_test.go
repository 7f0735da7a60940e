package trace

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keep has spans kept for the rest of a test, and returns what keeps them.
func keep(t *testing.T, path string) *recorder {
	t.Helper()
	r := newRecorder("run", "c1", newContext())
	r.remote = true
	if path != "" {
		fd, err := openFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r.file = &file{fd, path, "1.2.3", formatOf(path)}
		t.Cleanup(func() { unix.Close(fd) })
	}
	current = r
	t.Cleanup(func() { current = nil })
	return r
}

func named(t *testing.T, events []Event, name string) Event {
	t.Helper()
	for _, e := range events {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("no span %q among %+v", name, events)
	return Event{}
}

// Each command makes these calls whether anybody wants a trace or not.
func TestOffCostsNothing(t *testing.T) {
	allocs := testing.AllocsPerRun(100, func() {
		s := Begin("mount")
		s.Set("target", "/proc")
		s.SetNumber("pid", 1)
		s.End(nil)
		_ = Do("step", func() error { return nil })
		Thread("builder")
		Cloned(1)
		Meet(1)
		Relay("init", 1, nil)
		Ended("init", 1)
		Record("helper", "list", 1, Now())
	})
	if allocs != 0 || On() || Take("") != nil || ForChild().On || Flush() != nil {
		t.Errorf("%v allocations without a trace", allocs)
	}
}

func TestSpansNest(t *testing.T) {
	r := keep(t, "")
	before := r.clock.now()
	root := Root("run")
	mount := Begin("mount")
	mount.Set("target", "/proc")
	mount.SetNumber("index", 0)
	Begin("left open by an early return")
	mount.End(errors.New("operation not permitted"))
	after := Begin("after")
	after.End(nil)
	root.End(nil)
	events := Take("")
	if len(events) != 4 {
		t.Fatalf("%d spans: %+v", len(events), events)
	}
	top, inner := named(t, events, "run"), named(t, events, "mount")
	if inner.Parent != top.ID || named(t, events, "after").Parent != top.ID || top.Parent != 0 {
		t.Errorf("who belongs to whom: %+v", events)
	}
	if inner.Error != "operation not permitted" || len(inner.Attrs) != 2 || inner.Attrs[0] != (Attr{Key: "target", Text: "/proc"}) {
		t.Errorf("%+v", inner)
	}
	// The program has begun before its first span was asked for.
	if top.Begin > before || top.Begin != named(t, events, "start of the program").Begin {
		t.Errorf("%q begins at %d, and the test asked for it at %d", top.Name, top.Begin, before)
	}
	for _, e := range events {
		if e.End < e.Begin || e.PID != os.Getpid() || e.TID != e.PID || e.ID == 0 {
			t.Errorf("%+v", e)
		}
	}
	if Take("") != nil {
		t.Error("spans are taken twice")
	}
}

func TestThreadHasItsTrack(t *testing.T) {
	keep(t, "")
	outer := Begin("outer")
	done := make(chan int)
	go func() {
		runtime.LockOSThread()
		Thread("builder")
		_ = Do("inner", func() error { return nil })
		done <- unix.Gettid()
	}()
	tid := <-done
	outer.End(nil)
	events := Take("")
	inner := named(t, events, "inner")
	if inner.TID != tid || inner.PID != os.Getpid() || inner.Parent != named(t, events, "outer").ID {
		t.Errorf("%+v, thread %d", inner, tid)
	}
}

// What an init process does comes to the command's timeline, below what the command does then.
func TestSpansOfAnotherProcess(t *testing.T) {
	r := keep(t, "")
	root := Begin("run")
	spawn := Begin("spawn")
	Cloned(os.Getpid())
	Meet(os.Getpid())
	r.offsets[os.Getpid()] += 5 // as in a time namespace
	spawn.End(nil)
	cloned := Now()
	serve := Begin("serve")
	Record("init", "first half", os.Getpid(), cloned)
	remote := ForChild()
	Join("init", remote)
	time.Sleep(time.Millisecond)
	_ = Do("mounts", func() error { return nil })
	spans := Take("execve")
	for i := range spans {
		spans[i].Begin += 5
		if spans[i].End != 0 {
			spans[i].End += 5
		}
	}
	first := spans[0].Begin - 5
	current = r
	Relay("init", os.Getpid(), spans)
	serve.End(nil)
	root.End(nil)
	time.Sleep(time.Millisecond)
	Ended("init", os.Getpid())
	Ended("init", os.Getpid()) // there is no such span any more
	events := Take("")
	for name, of := range map[string]string{"mounts": "serve", "execve": "serve", "start of the program": "spawn", "first half": "run"} {
		e := named(t, events, name)
		if e.Parent != named(t, events, of).ID || e.End < e.Begin {
			t.Errorf("%+v", e)
		}
	}
	if start := named(t, events, "start of the program"); start.End != first || named(t, events, "mounts").Begin != first || start.End-start.Begin < int64(time.Millisecond) {
		t.Errorf("%+v", start)
	}
	if e := named(t, events, "execve"); e.End-e.Begin < int64(time.Millisecond) {
		t.Errorf("%+v", e)
	}
	if len(events) != 7 {
		t.Errorf("%d spans: %+v", len(events), events)
	}
}

func TestNobodyWantsSpansOfAnotherProcess(t *testing.T) {
	keep(t, "")
	Join("init", Remote{})
	if On() {
		t.Error("spans are kept for nobody")
	}
}

func TestClock(t *testing.T) {
	c := newClock()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	if late := now.Nano() - c.now(); late > int64(time.Second) || late < -int64(time.Second) {
		t.Errorf("the clock is %d ns off CLOCK_MONOTONIC", late)
	}
	if off := time.Now().UnixNano() - c.unixNano(c.now()); off > int64(time.Second) || off < -int64(time.Second) {
		t.Errorf("the clock is %d ns off the time of day", off)
	}
	if start := c.startOf(); start > c.now() || start < c.now()-int64(10*time.Minute) {
		t.Errorf("the process began at %d, and it is %d", start, c.now())
	}
}

func TestOffsetOfTimeNamespace(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0,
		"monotonic           0         0\nboottime            0         0\n": 0,
		"monotonic       86400       500\nboottime     2592000         0\n":  86400*int64(time.Second) + 500,
		"monotonic          -1 500000000\n":                                  -int64(time.Second) / 2,
		"boottime           10         0\n":                                  0,
	} {
		if got := monotonicOffset(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if offset := foreignOffset(os.Getpid()); offset != 0 {
		t.Errorf("we are %d ns ahead of ourselves", offset)
	}
}

func TestSentences(t *testing.T) {
	for want, e := range map[string]Event{
		`run: plan took 41µs`: {Name: "plan", End: 41000},
		`run: mount "proc" on "/proc" of type "proc" with "nosuid,noexec" took 1ms`: {Name: "mount", End: 1e6, Attrs: []Attr{
			{Key: "source", Text: "proc"}, {Key: "target", Text: "/proc"}, {Key: "type", Text: "proc"}, {Key: "flags", Text: "nosuid,noexec"}}},
		`run: clone of process 17 (new "pid,mount", index 0) took 0s and ended with: no`: {Name: "clone", Error: "no", Attrs: []Attr{
			{Key: "new", Text: "pid,mount"}, {Key: "pid", Number: 17}, {Key: "index"}}},
	} {
		if got := sentence("run", &e); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestRandomIDs(t *testing.T) {
	seen := map[uint64]bool{}
	for range 1000 {
		id := randomID()
		if id == 0 || id>>63 != 0 || seen[id] {
			t.Fatalf("%x", id)
		}
		seen[id] = true
	}
	if spanID(0x1f) != "000000000000001f" || spanID(1<<63) != "8000000000000000" {
		t.Error(spanID(0x1f), strconv.Quote(spanID(1<<63)))
	}
}
