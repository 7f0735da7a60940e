// Package trace keeps the timeline of a command: its spans, each with a name, a beginning, an end
// and what it was about. They go to the file of --trace ([Open]) and to the debug log.
//
//	span := trace.Begin("mount")
//	span.Set("target", m.Destination)
//	err := f.mount(m)
//	span.End(err)
//
// Unless somebody asked for a trace, Begin returns nil, whose methods do nothing: what it costs is
// a look at a variable. A span belongs to the one that was open on its track when it began. A track
// is a thread that said so ([Thread]), or else the process's main one; spans of a track are nested.
//
// Times are nanoseconds of CLOCK_MONOTONIC, that of the initial time namespace. An init process
// keeps its spans for the command ([Join], [Take]), which corrects them by the offset of its time
// namespace ([Meet], [Relay]): no descriptor of the file ever comes near a container. Taking the
// time makes no system call, so that spans can be used under a seccomp filter.
package trace

import (
	"encoding/binary"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Event is a span as plain data.
type Event struct {
	Name       string
	Begin, End int64  // ns; an End of 0 is that of a span which its process can't end, see [Ended]
	ID, Parent uint64 // of spans; a Parent of 0 is none
	PID        int    // of the process that did it
	TID        int    // of the track
	Attrs      []Attr
	Error      string // what it failed with
}

// Attr is a fact about a span.
type Attr struct {
	Key, Text string
	Number    int64 // if Text is empty
}

// Span is one that has begun. Its methods may be called on nil.
type Span struct {
	r     *recorder
	event Event
	outer *Span // what was open on its track
}

// recorder holds the spans of a process.
type recorder struct {
	mu      sync.Mutex
	process string // what sentences and tracks begin with: the verb, or "init"
	id      string // the container's, or ""
	context place
	clock   clock
	pid     int
	next    uint64        // ID of the next span
	parent  uint64        // of spans that no other encloses
	open    map[int]*Span // by track
	tracks  map[int]string
	offsets map[int]int64 // of the clocks of other processes, see [Meet]
	cloned  map[int]Event // the starts of processes whose spans have not come yet
	running map[int]Event // spans of other processes that have no end yet
	done    []Event
	told    func(process string, e *Event) // hears of each span's end; nil if nobody does
	file    *file                          // nil without one
	remote  bool                           // the spans are for another process
}

// current is the process's recorder, nil if nobody wants a trace. It is set before there is a
// second goroutine that could look.
var current *recorder

// newRecorder makes one for spans below the context's.
func newRecorder(process, id string, c place) *recorder {
	r := &recorder{
		process: process, id: id, context: c, clock: newClock(), pid: os.Getpid(), parent: c.parent(),
		open: map[int]*Span{}, tracks: map[int]string{}, offsets: map[int]int64{}, cloned: map[int]Event{}, running: map[int]Event{},
	}
	r.next = randomID()
	return r
}

// randomID is a number that no other process has begun to count its spans from. Without random
// numbers, the time and the pid have to do.
func randomID() uint64 {
	var b [8]byte
	if n, err := unix.Getrandom(b[:], unix.GRND_NONBLOCK); err != nil || n < len(b) {
		binary.NativeEndian.PutUint64(b[:], uint64(time.Now().UnixNano())^uint64(os.Getpid())<<40)
	}
	return binary.NativeEndian.Uint64(b[:])&^(1<<63) | 1 // room to count, and never 0
}

// Begin begins a span. The caller ends it, on the same thread.
func Begin(name string) *Span {
	if current == nil {
		return nil
	}
	return current.begin(name, current.clock.now())
}

// On tells whether spans are kept, for callers to which their facts cost something.
func On() bool { return current != nil }

func (r *recorder) begin(name string, at int64) *Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &Span{r: r, event: Event{Name: name, Begin: at, ID: r.newID(), Parent: r.parent, PID: r.pid, TID: r.track()}}
	s.outer = r.open[s.event.TID]
	switch {
	case s.outer != nil:
		s.event.Parent = s.outer.event.ID
	case r.open[r.pid] != nil: // a thread's first
		s.event.Parent = r.open[r.pid].event.ID
	}
	r.open[s.event.TID] = s
	return s
}

func (r *recorder) newID() uint64 {
	r.next++
	return r.next
}

// track is the one that the calling thread draws on.
func (r *recorder) track() int {
	if len(r.tracks) > 0 {
		if tid := unix.Gettid(); r.tracks[tid] != "" {
			return tid
		}
	}
	return r.pid
}

// Thread gives the calling thread, to which the goroutine is locked, a track of its own.
func Thread(name string) {
	if current == nil {
		return
	}
	current.mu.Lock()
	defer current.mu.Unlock()
	current.tracks[unix.Gettid()] = name
}

// Do has do be a span.
func Do(name string, do func() error) error {
	s := Begin(name)
	err := do()
	s.End(err)
	return err
}

// Set notes a text.
func (s *Span) Set(key, text string) {
	if s != nil && text != "" {
		s.event.Attrs = append(s.event.Attrs, Attr{Key: key, Text: text})
	}
}

// SetNumber notes a number.
func (s *Span) SetNumber(key string, n int) {
	if s != nil {
		s.event.Attrs = append(s.event.Attrs, Attr{Key: key, Number: int64(n)})
	}
}

// End ends a span, and those in it that an early return has left open. err is what it failed with,
// if it did.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	r := s.r
	r.mu.Lock()
	defer r.mu.Unlock()
	s.event.End = r.clock.now()
	if err != nil {
		s.event.Error = err.Error()
	}
	r.open[s.event.TID] = s.outer
	process := r.process
	if name := r.tracks[s.event.TID]; name != "" {
		process = name
	}
	r.add(process, s.event)
}

// add takes a span that has ended.
func (r *recorder) add(process string, e Event) {
	if r.told != nil {
		r.told(process, &e)
	}
	if r.file != nil || r.remote {
		r.done = append(r.done, e)
	}
}

// Record notes what another process, by the name that it has in the trace, has done since begin.
func Record(process, name string, pid int, begin int64) {
	if current == nil {
		return
	}
	r := current
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tracks[pid] = process
	r.add(process, r.other(name, pid, begin, r.clock.now()))
}

// other is a span of another process, below the one of ours that it began in.
func (r *recorder) other(name string, pid int, begin, end int64) Event {
	e := Event{Name: name, Begin: begin, End: end, ID: r.newID(), Parent: r.parent, PID: pid, TID: pid}
	for outer := r.open[r.pid]; outer != nil; outer = outer.outer {
		if outer.event.Begin <= begin { // it may have begun before what we do now
			e.Parent = outer.event.ID
			break
		}
	}
	return e
}

// Now is the time, in ns, for [Record]; 0 if nobody wants a trace.
func Now() int64 {
	if current == nil {
		return 0
	}
	return current.clock.now()
}

// Cloned says that a process has been made just now, which is going to tell of its spans. Its start
// is from here to the first of these.
func Cloned(pid int) {
	if current == nil {
		return
	}
	current.mu.Lock()
	defer current.mu.Unlock()
	current.cloned[pid] = current.other("start of the program", pid, current.clock.now(), 0)
}

// Meet looks at the clock of a process, which is going to tell of spans and may end meanwhile.
func Meet(pid int) {
	if current == nil {
		return
	}
	offset := foreignOffset(pid)
	current.mu.Lock()
	defer current.mu.Unlock()
	current.offsets[pid] = offset
}

// Relay takes spans that a process has told of, by the name that the process has in the trace.
func Relay(process string, pid int, events []Event) {
	if current == nil || len(events) == 0 {
		return
	}
	r := current
	r.mu.Lock()
	defer r.mu.Unlock()
	offset := r.offsets[pid]
	r.tracks[pid] = process
	if start, ok := r.cloned[pid]; ok {
		delete(r.cloned, pid)
		start.End = firstOf(events) - offset
		r.add(process, start)
	}
	for _, e := range events {
		e.Begin -= offset
		e.PID, e.TID = pid, pid // it may have another in its pid namespace
		if e.End == 0 {
			r.running[pid] = e
			continue
		}
		e.End -= offset
		r.add(process, e)
	}
}

// firstOf is when the first of some spans began.
func firstOf(events []Event) int64 {
	first := events[0].Begin
	for _, e := range events {
		first = min(first, e.Begin)
	}
	return first
}

// Ended says that what a process could not tell the end of has ended just now: its execve, which
// closes a channel.
func Ended(process string, pid int) {
	if current == nil {
		return
	}
	r := current
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.running[pid]
	if !ok {
		return
	}
	delete(r.running, pid)
	e.End = r.clock.now()
	r.add(process, e)
}

// Remote is what a process needs to keep spans for another one. It is plain data.
type Remote struct {
	On      bool
	Context string // a TRACEPARENT, or "" without a trace that goes on
	Parent  uint64
}

// ForChild is what a process is told that is to keep spans below the one that is open now.
func ForChild() Remote {
	if current == nil {
		return Remote{}
	}
	r := current
	r.mu.Lock()
	defer r.mu.Unlock()
	remote := Remote{On: true, Parent: r.parent}
	if outer := r.open[r.pid]; outer != nil {
		remote.Parent = outer.event.ID
	}
	if r.context.TraceID != "" {
		remote.Context = r.context.child(remote.Parent).String()
	}
	return remote
}

// Join begins to keep spans for another process, or goes on with that for a different one.
func Join(process string, remote Remote) {
	if !remote.On {
		current = nil
		return
	}
	c, err := parseContext(remote.Context)
	if err != nil {
		c = place{}
	}
	r := newRecorder(process, "", c)
	r.parent, r.remote = remote.Parent, true
	current = r
}

// Take gives the spans that have ended since the last time, and last as one that this process will
// not be able to end; "" for none.
func Take(last string) []Event {
	if current == nil {
		return nil
	}
	r := current
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.done
	r.done = nil
	if last != "" {
		e := Event{Name: last, Begin: r.clock.now(), ID: r.newID(), Parent: r.parent, PID: r.pid, TID: r.pid}
		events = append(events, e)
	}
	return events
}
