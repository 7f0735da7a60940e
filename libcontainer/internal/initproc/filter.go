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

	"oci-run/libcontainer/internal/program"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/libcontainer/internal/syncpipe"
)

// A confinement is the seccomp filter, ready to be loaded.
type confinement struct {
	filter *seccomp.Loadable
	notify bool

	// The messenger hands over the listener: the fd that it waits for, or -1 if there is none; and
	// that it is done.
	listener, done atomic.Int64
	failure        error
}

// confinement prepares for the filter. From its loading on this thread may be allowed
// nothing but execve, so it must not be given a reason for any other system call: signals
// get their default action, for the return from a handler is a call too, and the listener
// of a filter with SCMP_ACT_NOTIFY is handed over by a thread without the filter.
func (c *container) confinement() *confinement {
	f := &confinement{filter: c.plan.Seccomp.Prepare(), notify: c.plan.Seccomp.Notify}
	if f.notify {
		f.startMessenger(c.start)
	}
	defaultSignals()
	return f
}

// startMessenger makes a thread that gives the listener to the start command. It needs a
// processor of its own: this thread waits without sleeping.
func (f *confinement) startMessenger(start *syncpipe.Waiter) {
	runtime.GOMAXPROCS(2)
	go func() {
		runtime.LockOSThread()
		for f.listener.Load() == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		if fd := f.listener.Load(); fd > 0 {
			f.failure = start.Listener(os.NewFile(uintptr(fd), "seccomp"))
		}
		f.done.Store(1)
	}()
	time.Sleep(time.Millisecond) // lets the thread come to be before the filter does
}

// load loads the filter. A function that isn't nosplit may call the scheduler when it is
// entered, if the thread has run for 10 ms by then, and the scheduler makes system calls.
//
//go:nosplit
func (f *confinement) load() error {
	fd, err := f.filter.Install()
	if err != nil {
		f.listener.Store(-1)
		return filterError(err)
	}
	if !f.notify {
		return nil
	}
	f.listener.Store(int64(fd))
	for f.done.Load() == 0 { // waits without a system call
	}
	return f.failure
}

// exec executes the program under the filter. All that runs in between is nosplit, as load is.
//
//go:nosplit
func (f *confinement) exec(image *program.Image) (unix.Errno, error) {
	if err := f.load(); err != nil {
		return 0, err
	}
	return image.Exec(), nil
}

func filterError(err error) error {
	return fmt.Errorf("load the seccomp filter: %w", err)
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

// sigaction is struct kernel_sigaction with the default action: all zero, sigaction(2).
// No architecture's is larger.
type sigaction [64]byte

// defaultSignals takes the Go runtime's handlers away.
func defaultSignals() {
	for signal := uintptr(1); signal <= 64; signal++ {
		defaultSignal(signal) // SIGKILL and SIGSTOP have no handlers, and refuse
	}
}

func defaultSignal(signal uintptr) {
	var none sigaction
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, signal, uintptr(unsafe.Pointer(&none)), 0, unsafe.Sizeof(uint64(0)), 0, 0)
}
