package cgroups

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSignalLooksAgain: what is open when the signals are sent need not be what the cgroup has
// listed before.
func TestSignalLooksAgain(t *testing.T) {
	m := newCreation(t, nil)
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	inside, died := sleeper(t)
	if err := m.Join(inside); err != nil {
		t.Fatal(err)
	}
	outside, outsiderDied := sleeper(t)
	held, err := holdProcesses([]int{outside, inside})
	if err != nil {
		t.Fatal(err)
	}
	defer held.close()
	if err := m.signalHeld(held, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-died:
	case <-time.After(5 * time.Second):
		t.Error("the process in the cgroup lives on")
	}
	select {
	case <-outsiderDied:
		t.Error("a process outside of the cgroup was killed")
	default:
	}
}

// TestHoldThread: a threaded cgroup lists threads, of which signals go to the processes.
func TestHoldThread(t *testing.T) {
	tid := make(chan int)
	done := make(chan struct{})
	defer close(done)
	for range 2 { // one may be the process's first
		go func() {
			tid <- unix.Gettid()
			<-done
		}()
	}
	for range 2 {
		held, err := holdProcesses([]int{<-tid, 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		if len(held.processes) != 1 || held.seen != 2 {
			t.Errorf("%+v", held)
		}
		held.close()
	}
}
