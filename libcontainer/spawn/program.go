package spawn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Program is the second raw fork: what the init process of an exec ends with. Init itself
// stays outside of the container's pid namespace, where no process of the container sees
// it. Its thread has become all that the program shall be, and the child that it clones
// into the namespace inherits that and executes the program. So whoever traces the child
// or looks at its files and memory in between finds nothing that is not the container's
// (CVE-2016-9962, CVE-2019-5736).
type Program struct {
	Path       *byte
	Argv, Envv **byte
	Filter     *unix.SockFprog // seccomp filter to load, or nil
	Flags      uintptr         // of the filter
	Notify     bool            // the filter has a listener
	Terminal   bool            // stdin becomes the controlling terminal
	Inherit    int             // so many fds are the program's
	Nproc      *unix.Rlimit    // RLIMIT_NPROC, or nil

	PID     int // of the child, after Clone
	gate    [2]*os.File
	report  [2]*os.File
	shared  *sharedPage
	flags   uintptr
	keep    [4]uintptr // the gaps to close: first, last of each but for the last gap's end
	gateFD  uintptr
	readFD  uintptr
	message [2]uint32
	nowhere *byte // nil
}

// sharedPage is memory that init and its child both see.
type sharedPage struct {
	listener atomic.Int32 // the listener's number plus one
	done     atomic.Int32
}

// The steps of the child, for its reports.
const (
	programSession uint32 = iota
	programTerminal
	programNproc
	programFilter
	programExec
)

var programSteps = [...]string{
	programSession:  "setsid",
	programTerminal: "make stdin the controlling terminal",
	programNproc:    "set RLIMIT_NPROC",
	programFilter:   "load the seccomp filter",
	programExec:     "execve",
}

// Clone makes the child, a child of our parent as well. The calling goroutine must be
// locked to its thread, whose children are born into the container's pid namespace. The
// child waits for Start.
func (p *Program) Clone() error {
	if err := p.open(); err != nil {
		return err
	}
	p.flags = unix.CLONE_PARENT | uintptr(unix.SIGCHLD)
	if p.Notify {
		// The listener of the filter becomes a descriptor of the child, which must not pass
		// it on: the filter may keep it from doing so. We do, as it is one of ours too.
		p.flags |= unix.CLONE_FILES
	}
	beforeFork()
	pid, errno := p.fork()
	afterFork()
	runtime.KeepAlive(p)
	if errno != 0 {
		return fmt.Errorf("clone in the container's pid namespace: %w", ExplainClone(errno))
	}
	p.PID = int(pid)
	if !p.Notify {
		p.gate[0].Close()
		p.report[1].Close()
	}
	return nil
}

func (p *Program) open() (err error) {
	if p.gate[0], p.gate[1], err = os.Pipe(); err != nil {
		return err
	}
	if p.report[0], p.report[1], err = os.Pipe(); err != nil {
		return err
	}
	p.gateFD, p.readFD = p.gate[0].Fd(), p.report[1].Fd()
	low, high := min(p.gateFD, p.readFD), max(p.gateFD, p.readFD)
	p.keep = [4]uintptr{low - 1, low + 1, high - 1, high + 1}
	if !p.Notify {
		return nil
	}
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	p.shared = (*sharedPage)(unsafe.Pointer(&page[0]))
	return nil
}

// Start lets the child go and returns when it has executed the program, or with the reason
// why it has not; executed tells that it was execve that failed, with an errno. agent gets
// the listener of the filter.
func (p *Program) Start(agent func(listener *os.File) error) (executed bool, err error) {
	if _, err := p.gate[1].Write([]byte{1}); err != nil && !errors.Is(err, unix.EPIPE) {
		return false, err
	}
	if p.Notify {
		return false, p.handOver(agent)
	}
	return p.result()
}

// result reads the child's report, or its end-of-file: the execve closes it.
func (p *Program) result() (executed bool, err error) {
	var b [8]byte
	if _, err := io.ReadFull(p.report[0], b[:]); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, err
	}
	step, errno := binary.NativeEndian.Uint32(b[:4]), syscall.Errno(binary.NativeEndian.Uint32(b[4:]))
	if step == programExec {
		return true, errno
	}
	return false, fmt.Errorf("%s: %w", programSteps[step], errno)
}

// handOver passes the listener on. From then on it is the agent's business what becomes of
// the child, which has our descriptors: they are closed when both of us are gone.
func (p *Program) handOver(agent func(listener *os.File) error) error {
	for p.shared.listener.Load() == 0 {
		fds := []unix.PollFd{{Fd: int32(p.report[0].Fd()), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 0); err == nil && n > 0 {
			_, err := p.result()
			return err
		}
		time.Sleep(50 * time.Microsecond)
	}
	err := agent(os.NewFile(uintptr(p.shared.listener.Load()-1), "seccomp"))
	p.shared.done.Store(1)
	return err
}

//go:nosplit
//go:noinline
//go:norace
func (p *Program) fork() (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, p.flags, 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	afterForkInChild()
	p.run()
	syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 255, 0, 0, 0, 0, 0)
	for { // the seccomp filter doesn't allow even that: a fault ends us
		*p.nowhere = 0
	}
}

// run is the child. It returns only to exit.
//
//go:nosplit
//go:noinline
//go:norace
func (p *Program) run() {
	if !p.Notify {
		syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, uintptr(p.Inherit), p.keep[0], 0, 0, 0, 0)
		syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, p.keep[1], p.keep[2], 0, 0, 0, 0)
		syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, p.keep[3], ^uintptr(0)>>33, 0, 0, 0, 0)
	}
	if _, _, errno := syscall.RawSyscall6(unix.SYS_SETSID, 0, 0, 0, 0, 0, 0); errno != 0 {
		p.fail(programSession, errno)
		return
	}
	if p.Terminal {
		if _, _, errno := syscall.RawSyscall6(unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0, 0, 0, 0); errno != 0 {
			p.fail(programTerminal, errno)
			return
		}
	}
	if p.Nproc != nil {
		if _, _, errno := syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NPROC, uintptr(unsafe.Pointer(p.Nproc)), 0, 0, 0); errno != 0 {
			p.fail(programNproc, errno)
			return
		}
	}
	n, _, _ := syscall.RawSyscall6(unix.SYS_READ, p.gateFD, uintptr(unsafe.Pointer(&p.message[0])), 1, 0, 0, 0)
	if n != 1 {
		return
	}
	if p.Filter != nil {
		fd, _, errno := syscall.RawSyscall6(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, p.Flags, uintptr(unsafe.Pointer(p.Filter)), 0, 0, 0)
		if errno != 0 {
			p.fail(programFilter, errno)
			return
		}
		if p.Notify {
			p.shared.listener.Store(int32(fd) + 1)
			for p.shared.done.Load() == 0 { // waits without a system call
			}
		}
	}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EXECVE, uintptr(unsafe.Pointer(p.Path)), uintptr(unsafe.Pointer(p.Argv)), uintptr(unsafe.Pointer(p.Envv)), 0, 0, 0)
	p.fail(programExec, errno)
}

//go:nosplit
//go:norace
func (p *Program) fail(step uint32, errno syscall.Errno) {
	p.message[0], p.message[1] = step, uint32(errno)
	syscall.RawSyscall6(unix.SYS_WRITE, p.readFD, uintptr(unsafe.Pointer(&p.message[0])), 8, 0, 0, 0)
}
