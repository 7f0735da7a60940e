package initproc

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filter loads the seccomp filter. From here on this thread may be allowed nothing but
// execve, so it must not be given a reason for any other system call: signals get their
// default action, for the return from a handler is a call too, and the listener of a
// filter with SCMP_ACT_NOTIFY is handed over by a thread without the filter.
func (c *container) filter() error {
	program := c.plan.Seccomp.Prepare()
	if !c.plan.Seccomp.Notify {
		defaultSignals()
		_, err := program.Install()
		return filterError(err)
	}
	// The messenger needs a processor of its own: this thread waits without sleeping.
	runtime.GOMAXPROCS(2)
	var listener, done atomic.Int64
	var failure error
	go func() {
		runtime.LockOSThread()
		for listener.Load() == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		if fd := listener.Load(); fd > 0 {
			failure = c.start.Listener(os.NewFile(uintptr(fd), "seccomp"))
		}
		done.Store(1)
	}()
	time.Sleep(time.Millisecond) // lets the messenger's thread come to be before the filter does
	defaultSignals()
	fd, err := program.Install()
	if err != nil {
		listener.Store(-1)
		return filterError(err)
	}
	listener.Store(int64(fd))
	for done.Load() == 0 { //nolint:revive // waits without a system call
	}
	return failure
}

func filterError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("load the seccomp filter: %w", err)
}

// endWithLeader has init end when its first thread, which is about to get the filter, is no
// more: SCMP_ACT_KILL may hit it when it forks a hook, and the others would wait forever.
// The thread that looks is there before the filter, and has a processor of its own because
// a killed thread keeps the one that it had.
func endWithLeader() {
	runtime.GOMAXPROCS(2)
	stat := fmt.Sprintf("/proc/self/task/%d/stat", os.Getpid())
	ready := make(chan bool)
	go func() {
		runtime.LockOSThread()
		ready <- true
		for {
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 50_000_000}, nil)
			text, err := os.ReadFile(stat)
			if err != nil {
				return // no proc in this container
			}
			if _, state, found := bytes.Cut(text, []byte(") ")); found && state[0] == 'Z' {
				os.Exit(1)
			}
		}
	}()
	<-ready
}

// sigaction is struct kernel_sigaction with the default action: all zero, sigaction(2).
// No architecture's is larger.
type sigaction [64]byte

// defaultSignals takes the Go runtime's handlers away.
func defaultSignals() {
	var none sigaction
	for signal := uintptr(1); signal <= 64; signal++ {
		// SIGKILL and SIGSTOP have no handlers, and refuse.
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, signal, uintptr(unsafe.Pointer(&none)), 0, unsafe.Sizeof(uint64(0)), 0, 0)
	}
}
