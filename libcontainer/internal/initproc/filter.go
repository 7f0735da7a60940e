package initproc

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/seccomp"
)

// beforeFilter prepares for the filter, if there is one. From its loading on this thread may be
// allowed nothing but execve, so it must not be given a reason for any other system call: signals
// get their default action, for the return from a handler is a call too, and the listener of a
// filter with SCMP_ACT_NOTIFY is handed over by a thread without the filter.
func (c *container) beforeFilter() (handover *seccomp.Handover, err error) {
	if c.plan.Seccomp == nil {
		return nil, nil
	}
	if c.found != nil {
		c.found.Foresee()
	}
	if c.plan.Seccomp.Notify {
		if handover, err = seccomp.NewHandover(); err != nil {
			return nil, err
		}
		c.startMessenger(handover)
	}
	return handover, c.make(func(l *calls.List) {
		c.plan.addExecuting(l)
		addDefaultSignals(l)
	})
}

// startMessenger makes a thread that gives the listener to the start command. It needs a
// processor of its own: the first thread waits without sleeping.
func (c *container) startMessenger(handover *seccomp.Handover) {
	runtime.GOMAXPROCS(2)
	go func() {
		runtime.LockOSThread()
		listener := handover.Listener(func() bool { return false })
		if err := c.start.Listener(listener); err != nil {
			c.fail("listener", err)
		}
		handover.Done()
	}()
	time.Sleep(time.Millisecond) // lets the thread come to be before the filter does
}

// addDefaultSignals takes the Go runtime's handlers away.
func addDefaultSignals(l *calls.List) {
	var signals []syscall.Signal
	for n := syscall.Signal(1); n <= 64; n++ {
		if n != unix.SIGKILL && n != unix.SIGSTOP {
			signals = append(signals, n)
		}
	}
	process.AddDefaultActions(l, signals...)
}

// endWithLeader has init end when its first thread, which is about to get the filter, is no
// more: SCMP_ACT_KILL may hit it when it forks a hook, and the others would wait forever.
// The thread that looks is there before the filter, and has a processor of its own because
// a killed thread keeps the one that it had.
func endWithLeader() {
	runtime.GOMAXPROCS(2)
	stat := leaderStat()
	if stat == nil {
		return // no proc in this container
	}
	ready := make(chan bool)
	go func() {
		runtime.LockOSThread()
		ready <- true
		text := make([]byte, 512)
		for {
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 50_000_000}, nil)
			n, err := stat.ReadAt(text, 0)
			if n == 0 && err != nil {
				return
			}
			if _, state, found := bytes.Cut(text[:n], []byte(") ")); found && state[0] == 'Z' {
				os.Exit(1)
			}
		}
	}()
	<-ready
}

// leaderStat opens what tells of init's first thread. An image may have put anything on /proc, but
// nothing of it is opened that isn't a procfs. It returns nil if there is none.
func leaderStat() *os.File {
	proc, err := rootfs.HostProc()
	if err != nil {
		return nil
	}
	defer proc.Close()
	stat, err := proc.Open(fmt.Sprintf("self/task/%d/stat", os.Getpid()), unix.O_RDONLY)
	if err != nil {
		return nil
	}
	return stat
}
