// Package thread has operating system threads that differ from the program's others: in their
// namespaces, their root, their umask. What such a thread has changed ends with it.
package thread

import (
	"runtime"

	"golang.org/x/sys/unix"

	"oci-run/internal/mainstack"
	"oci-run/internal/trace"
)

// Spare is a thread that does what it is given, one after the other. Who waits for it must not be
// it. Its goroutine is locked to it for good, so that Go never uses it for anything else, nor makes
// threads from it.
type Spare struct {
	work  chan func()
	begun chan struct{}
}

// New makes a thread.
func New() *Spare {
	s := &Spare{work: make(chan func(), 4), begun: make(chan struct{})}
	go s.run()
	return s
}

func (s *Spare) run() {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if unix.Gettid() == unix.Getpid() {
		// The first thread never ends, and stands for the process in /proc. While we hold it,
		// another one is taken.
		defer runtime.UnlockOSThread()
		go s.run()
		<-s.begun
		return
	}
	mainstack.Grow()
	trace.Thread("builder")
	close(s.begun)
	for work := range s.work {
		work()
	}
}

// Go has the thread do work when it has done what it was given before.
func (s *Spare) Go(work func()) { s.work <- work }

// Do has the thread do work, and returns when that is done.
func (s *Spare) Do(work func()) {
	done := make(chan struct{})
	s.Go(func() {
		defer close(done)
		work()
	})
	<-done
}

// End ends the thread when it has done all that it was given.
func (s *Spare) End() { close(s.work) }
