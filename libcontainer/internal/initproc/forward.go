package initproc

import (
	"runtime"

	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/syncpipe"
)

// forward is a log.Handler that hands init's messages to the parent, which has the log.
type forward struct{ sync *syncpipe.Init }

// Enabled implements log.Handler. The parent filters.
func (forward) Enabled(log.Level) bool { return true }

// Log implements log.Handler.
func (f forward) Log(level log.Level, text string) { f.sync.Log(int(level), text) }

// tellSpans hands the spans since the last time to whoever waits. last is one that we can't tell
// the end of, because we aren't there any more; "" for none.
func (c *container) tellSpans(last string) {
	spans := trace.Take(last)
	if len(spans) == 0 {
		return
	}
	tell := c.sync.Trace
	if c.start != nil {
		tell = c.start.Trace
	}
	if c.teller == nil {
		tell(spans)
		return
	}
	c.teller.work <- func() { tell(spans) }
	<-c.teller.done
}

// teller sends for a thread that must not do so itself, because of its seccomp filter.
type teller struct {
	work chan func()
	done chan bool
}

// startTeller makes it before the filter is loaded: a thread that the first one makes later has the
// filter too.
func (c *container) startTeller() {
	if !trace.On() {
		return
	}
	t := &teller{make(chan func()), make(chan bool)}
	go func() {
		runtime.LockOSThread()
		t.done <- true
		for send := range t.work {
			send()
			t.done <- true
		}
	}()
	<-t.done
	c.teller = t
}
