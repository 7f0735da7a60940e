package initproc

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/spawn"
)

// execSteps is how another process joins a container, in order, where a Batch can't do it. It was
// born into the container's cgroup and has joined its namespaces, but for two: the mount namespace,
// because a Go program looks at files when it starts, which the container must not choose; and the
// pid namespace, so that the container's processes can't see it. The child that the steps end with
// is in both.
var execSteps = [...]step{
	{"session", (*container).session},
	{"keyring", (*container).keyring},
	{"root", (*container).enterRoot},
	{"console", (*container).execConsole},
	{"labels", (*container).labels},
	{"process", (*container).process},
	{"pid namespace", (*container).enterPIDNamespace},
	{"user", (*container).user},
	{"program", (*container).program},
	{"exec", (*container).execChild},
}

// enterRoot enters the container's mount namespace, with this thread only. A procfs for
// later steps has to be opened before: there we have no pid.
func (c *container) enterRoot() error {
	var err error
	if c.proc, err = rootfs.HostProc(); err != nil {
		return err
	}
	if c.plan.Exec.Mount {
		// Threads that share root and working directory can't change their mount namespace.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("unshare root and working directory: %w", err)
		}
		if err := unix.Setns(int(c.pidfd.Fd()), unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("join the container's mount namespace: %w", err)
		}
	}
	c.rootDir, err = files.Open("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	return err
}

// execConsole makes a terminal, without a name in /dev.
func (c *container) execConsole() error {
	if c.plan.Terminal == nil {
		return nil
	}
	t, err := console.Open(c.rootDir, c.plan.Terminal)
	if err != nil {
		return err
	}
	c.stdio = console.OnTerminal(t.Peer)
	if err := t.Send(c.socket); err != nil {
		return err
	}
	c.socket.Close()
	return c.takeStdio()
}

// enterPIDNamespace has this thread's children be born into the container's pid namespace.
func (c *container) enterPIDNamespace() error {
	if c.plan.Exec.PID {
		// From then on this thread can't make threads (clone(2), EINVAL). Now Go makes one that
		// does it in its place, whenever we wait.
		runtime.LockOSThread()
		if err := unix.Setns(int(c.pidfd.Fd()), unix.CLONE_NEWPID); err != nil {
			return fmt.Errorf("join the container's pid namespace: %w", err)
		}
	}
	return c.pidfd.Close()
}

// execChild makes the process that the program will be, reports it, and ends with it
// being the program.
func (c *container) execChild() error {
	c.proc.Close()
	next := &spawn.Successor{Inherit: 3 + c.plan.PreserveFDs, Terminal: c.plan.Terminal != nil, Nproc: c.plan.Exec.Nproc}
	next.Path, next.Argv, next.Envv = c.image.Vectors()
	if filter := c.plan.Seccomp; filter != nil {
		next.Filter = &unix.SockFprog{
			Len: uint16(filter.Len()), Filter: (*unix.SockFilter)(unsafe.Pointer(unsafe.SliceData(filter.Instructions))),
		}
		next.Flags, next.Notify = uintptr(filter.Flags), filter.Notify
		if err := c.named(Executing); err != nil {
			return err
		}
	}
	if err := next.Clone(); err != nil {
		return err
	}
	c.tellSpans("")
	if err := c.sync.Waiting(next.PID); err != nil {
		return fmt.Errorf("wait for the exec command: %w", err)
	}
	c.start = c.sync.Waiter()
	c.tellSpans("execve")
	err := next.Start(c.start.Listener)
	if err == nil {
		os.Exit(0)
	}
	refused, ok := errors.AsType[spawn.Refused](err)
	if !ok {
		return console.ExplainHangup(err)
	}
	root, errno := process.Root{Dir: c.rootDir, Proc: procOutside()}, syscall.Errno(refused)
	return program.ExecFailure(&c.plan.Process, c.path, errno, program.Hint(&c.plan.Process, root, c.path, errno))
}

// procOutside opens the host's procfs once more, by a thread that has not entered the container: in
// the container's we have no pid. The one that we had was closed before there was a child who would
// have inherited it.
func procOutside() *os.File {
	opened := make(chan *os.File)
	go func() {
		proc, err := rootfs.HostProc()
		if err != nil {
			opened <- nil
			return
		}
		opened <- proc.Dir()
	}()
	return <-opened
}
