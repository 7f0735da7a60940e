package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is one system call of a command: the n-th of its name by one of its processes.
type call struct {
	role string
	name string
	n    int // from 1
}

// The roles of processes.
const (
	command = "command"
	inits   = "init" // what the command clones
	hook    = "hook"
)

func (c call) String() string { return fmt.Sprintf("%s %s #%d", c.role, c.name, c.n) }

// fault is what happens at a call: it is answered with an error, or who makes it gets a signal.
type fault struct {
	call
	errno  unix.Errno
	signal unix.Signal // SIGKILL, or SIGSTOP and soon SIGCONT
}

func (f *fault) String() string { return fmt.Sprintf("%s, %s", f.call, f.does()) }

func (f *fault) does() string {
	if f.signal != 0 {
		return unix.SignalName(f.signal)
	}
	return unix.ErrnoName(f.errno)
}

// injector answers the system calls of a command: all but one are made.
type injector struct {
	listener int
	names    map[int32]string
	fault    *fault // nil for none

	mu       sync.Mutex
	seen     []call
	counts   map[call]int // n is 0
	injected bool
	command  int               // the thread group of the command
	roles    map[uint32]string // of threads; "" for those of other programs
}

func (m *machine) injector(f *fault) *injector { return &injector{names: m.names, fault: f} }

// seccompNotif and its answer are struct seccomp_notif and seccomp_notif_resp of linux/seccomp.h.
type seccompNotif struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type seccompAnswer struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// result is how a command under the injector ended.
type result struct {
	status         int
	stdout, stderr string
	hung           bool
}

// hangs is how long a command may take.
const hangs = 10 * time.Second

// run runs a command line with a fault, and returns what came of it.
func (i *injector) run(m *machine, args ...string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	cmd := m.command(ctx, true, args...)
	out, errs := output(m.t), output(m.t) // files: a container keeps them open
	defer out.Close()
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	if err := m.reaper.start(cmd); err != nil {
		m.t.Fatal(err)
	}
	i.counts, i.roles, i.command = map[call]int{}, map[uint32]string{}, cmd.Process.Pid
	var err error
	if i.listener, err = listenerOf(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		_ = m.reaper.wait(cmd)
		m.t.Fatalf("%v: %s", err, content(m.t, errs))
	}
	go i.serve(i.listener)
	_ = m.reaper.wait(cmd)
	return result{cmd.ProcessState.ExitCode(), content(m.t, out), content(m.t, errs), ctx.Err() != nil}
}

func output(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func content(t *testing.T, f *os.File) string {
	t.Helper()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// listenerOf takes a copy of the listener that a process has made for its filter. Each of its calls
// waits for us from then on, so it can't tell us itself.
func listenerOf(pid int) (int, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	for deadline := time.Now().Add(hangs); time.Now().Before(deadline); time.Sleep(200 * time.Microsecond) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return -1, err
		}
		for _, e := range entries {
			if link, _ := os.Readlink(dir + "/" + e.Name()); !strings.Contains(link, "seccomp notify") {
				continue
			}
			fd, err := strconv.Atoi(e.Name())
			if err != nil {
				return -1, err
			}
			return unix.PidfdGetfd(pidfd, fd, 0)
		}
	}
	return -1, fmt.Errorf("process %d has made no listener", pid)
}

// serve answers until nobody is under the filter any more, and closes the listener.
func (i *injector) serve(listener int) {
	defer unix.Close(listener)
	for {
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			if fds[0].Revents != 0 {
				return
			}
			continue
		}
		var n seccompNotif
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // it was killed meanwhile
		}
		answer := seccompAnswer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if f := i.decide(&n); f != nil && f.signal != 0 {
			strike(groupOf(n.pid), f.signal)
		} else if f != nil {
			answer.err, answer.flags = -int32(f.errno), 0
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&answer)))
	}
}

// strike kills a process, or stops it for a moment.
func strike(pid int, signal unix.Signal) {
	const moment = 50 * time.Millisecond
	if pid <= 1 {
		return
	}
	_ = unix.Kill(pid, signal)
	if signal == unix.SIGSTOP {
		time.AfterFunc(moment, func() { _ = unix.Kill(pid, unix.SIGCONT) })
	}
}

// decide notes a call, and says what happens at it; nil if it is made.
func (i *injector) decide(n *seccompNotif) *fault {
	role, known := i.roles[n.pid]
	if !known {
		role = i.roleOf(n.pid)
	}
	name := i.names[n.nr]
	if name == "execve" || name == "execveat" {
		delete(i.roles, n.pid) // it may be another program then
	} else {
		i.roles[n.pid] = role
	}
	if role == "" || ofRuntime[name] || certain[name] {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	c := call{role: role, name: name}
	i.counts[c]++
	c.n = i.counts[call{role: c.role, name: c.name}]
	i.seen = append(i.seen, c)
	if i.fault == nil || i.injected || i.fault.call != c {
		return nil
	}
	i.injected = true
	return i.fault
}

// roleOf tells processes apart by what they execute: hooks are /bin/true.
func (i *injector) roleOf(tid uint32) string {
	link, _ := os.Readlink("/proc/" + strconv.Itoa(int(tid)) + "/exe")
	switch {
	case strings.HasSuffix(link, "/true"):
		return hook
	case !strings.Contains(link, "oci-run"):
		return ""
	case groupOf(tid) == i.command:
		return command
	}
	return inits
}

// groupOf is the thread group of a thread, 0 if that has ended.
func groupOf(tid uint32) int {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(int(tid)) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("\nTgid:\t"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	group, _ := strconv.Atoi(string(line))
	return group
}

// ofRuntime are the calls that Go's runtime makes by itself, whenever it likes. They are failed by
// no test: it ends the process when one fails, and says so.
var ofRuntime = setOf("futex", "nanosleep", "clock_nanosleep", "sched_yield", "rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "sigaltstack",
	"madvise", "mmap", "munmap", "mprotect", "brk", "gettid", "getpid", "exit", "exit_group", "restart_syscall", "sched_getaffinity", "arch_prctl", "set_tid_address",
	"clone", "tgkill", "rseq", "set_robust_list", "clock_gettime", "epoll_create1", "epoll_ctl", "epoll_pwait", "eventfd2", "getrandom")

// certain are the calls that do what they are for whatever they return. A close that isn't made
// would be another fault than one that fails.
var certain = setOf("close", "getuid", "geteuid", "getgid", "getegid", "getppid", "umask")

func setOf(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}
