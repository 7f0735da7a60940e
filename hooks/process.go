package hooks

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/thread"
)

// attributes are what a hook has of its kind.
type attributes struct {
	dir string // the working directory; "" is the caller's
	env []string
}

// run runs one hook to its end.
//
// Only the fork happens on the calling thread. What follows, until the hook has ended, happens on
// another one: the caller may be the container's init with its seccomp filter loaded, which need
// not allow poll or wait4.
func run(h *specs.Hook, input []byte, a attributes) error {
	// Pdeathsig comes when the thread that forked ends, not its process (PR_SET_PDEATHSIG(2const)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := start(h, input, a)
	if err != nil {
		return err
	}
	done := make(chan error)
	go func() { done <- p.supervise(timeout(h)) }()
	if err := <-done; err != nil {
		return fmt.Errorf("%q: %w", h.Path, err)
	}
	return nil
}

// workDir is the directory for the hooks of a name, "" for the caller's.
func workDir(name string, state *specs.State) string {
	if name == StartContainer || name == CreateContainer {
		return ""
	}
	// The bundle may be out of reach for the user that a container in a user namespace is, or gone
	// already at poststop.
	if unix.Access(state.Bundle, unix.X_OK) != nil {
		return "/"
	}
	return state.Bundle
}

// process is a running hook. The files are our ends of its pipes.
type process struct {
	pid            int
	pidfd          int
	stdout, stderr stream
}

// start forks and executes a hook.
func start(h *specs.Hook, input []byte, a attributes) (_ *process, err error) {
	stdin, err := inputFile(input)
	if err != nil {
		return nil, err
	}
	defer unix.Close(stdin)
	p := &process{pidfd: -1, stdout: stream{fd: -1}, stderr: stream{fd: -1}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	stdout, err := p.stdout.open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(stdout)
	stderr, err := p.stderr.open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(stderr)
	argv := h.Args
	if len(argv) == 0 {
		argv = []string{h.Path}
	}
	// Not os/exec: it would need goroutines for the pipes, and give up on a hook's background
	// processes only by a delay.
	attr := &syscall.ProcAttr{
		Dir:   a.dir,
		Env:   a.env,
		Files: []uintptr{uintptr(stdin), uintptr(stdout), uintptr(stderr)},
		// Nobody would end a hook that hangs once we have been killed.
		Sys: &syscall.SysProcAttr{Setpgid: true, PidFD: &p.pidfd, Pdeathsig: unix.SIGKILL},
	}
	err = thread.CallersSlack(func() (err error) {
		p.pid, _, err = syscall.StartProcess(h.Path, argv, attr)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("exec %q: %w", h.Path, err)
	}
	return p, nil
}

func (p *process) close() {
	p.stdout.close()
	p.stderr.close()
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
	}
}

// inputFile makes a file that reads as input. A pipe is what hooks are used to; the state fits into
// its buffer, so nobody has to write while the hook reads, and a hook that does not read is none of
// our concern. A state that is larger than a pipe can be, with all its annotations, comes as an
// anonymous file.
func inputFile(input []byte) (int, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1, os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(fds[1])
	if size, err := unix.FcntlInt(uintptr(fds[1]), unix.F_GETPIPE_SZ, 0); err == nil && len(input) <= size {
		if n, err := unix.Write(fds[1], input); err == nil && n == len(input) {
			return fds[0], nil
		}
	}
	unix.Close(fds[0])
	return inputMemory(input)
}

func inputMemory(input []byte) (int, error) {
	fd, err := unix.MemfdCreate("state", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("state", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	for len(input) > 0 {
		n, err := unix.Write(fd, input)
		if err != nil && err != unix.EINTR {
			unix.Close(fd)
			return -1, os.NewSyscallError("write", err)
		}
		input = input[max(n, 0):]
	}
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("lseek", err)
	}
	return fd, nil
}

// reap takes the hook's exit status.
func (p *process) reap(status *syscall.WaitStatus) error {
	for {
		_, err := syscall.Wait4(p.pid, status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if errors.Is(err, syscall.ECHILD) {
			return fmt.Errorf("the exit status of process %d was taken by someone else: %w", p.pid, err)
		}
		return err
	}
}
