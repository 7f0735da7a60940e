package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// monitorSlack is how late the monitor may wake up, in nanoseconds. Later than some milliseconds,
// a goroutine that has become runnable while others hold all processors in system calls would wait
// for longer than in a Go program that has been idle for a while, whose monitor sleeps for 10 ms.
const monitorSlack = 2_000_000

// callerSlack is the timer slack that all threads had of the caller, if the monitor has another one
// now; otherwise 0.
var callerSlack int

// CalmMonitor has the monitor thread of Go's runtime wake up every other millisecond. It sleeps for
// 20 µs at a time while anything runs, which with the usual timer slack of 50 µs is fifty times
// in a `run`. Each verb calls it once, before there is any other goroutine of ours.
//
// Where the monitor can't be had (no /proc, no CAP_SYS_NICE), it stays as it is.
//
// A thread that the monitor makes has its slack, and so have processes that come from there: see
// [CallersSlack].
func CalmMonitor() {
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || slack <= 0 || slack >= monitorSlack {
		return
	}
	tid := monitor()
	if tid == "" {
		return
	}
	fd, err := unix.Open("/proc/"+tid+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte("2000000")); err == nil {
		callerSlack = slack
	}
}

// monitor is the id of the monitor thread, as /proc has it, or "". It is the first that the runtime
// makes, and the kernel lists threads in the order in which they were made.
func monitor() string {
	fd, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var buf [512]byte
	n, err := unix.Getdents(fd, buf[:])
	if err != nil {
		return ""
	}
	_, _, names := unix.ParseDirent(buf[:n], 2, nil)
	if len(names) < 2 {
		return ""
	}
	return names[1]
}

// MonitorIsCalm tells whether a thread may have another timer slack than the caller's.
func MonitorIsCalm() bool { return callerSlack != 0 }

// CallersSlack calls start, which starts a process that is to have the timer slack of the caller,
// on a thread that has it.
func CallersSlack(start func() error) error {
	if callerSlack != 0 {
		runtime.LockOSThread() // system calls may change the thread
		defer runtime.UnlockOSThread()
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(callerSlack), 0, 0, 0)
	}
	return start()
}
