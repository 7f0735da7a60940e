package initproc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/seccomp"
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
	{"exec", (*container).execChild},
}

// enterRoot enters the container's mount namespace, with this thread only. A procfs for
// later steps has to be opened before: there we have no pid.
func (c *container) enterRoot() error {
	var err error
	if c.proc, err = rootfs.HostProc(); err != nil {
		return err
	}
	if c.plan.Exec.Mount || c.plan.Exec.PID {
		// Now Go makes a thread that makes all others. One that this thread made would be in the
		// container's mount namespace too, and once it has a pid namespace for its children, it
		// can't make any (clone(2), EINVAL).
		runtime.LockOSThread()
	}
	if c.plan.Exec.Mount {
		// Threads that share root and working directory can't change their mount namespace.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("unshare root and working directory: %w", err)
		}
	}
	if err := c.make(func(l *calls.List) { c.plan.Exec.addMounts(l, c.pidfd) }); err != nil {
		return err
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

// execChild makes the process that the program will be, reports it, and ends with it
// being the program.
func (c *container) execChild() error {
	c.pidfd.Close()
	c.proc.Close()
	linux.ForgetProc()
	c.found.Reopen(procOutside)
	next, err := spawn.NewSuccessor()
	if err != nil {
		return err
	}
	var handover *seccomp.Handover
	if filter := c.plan.Seccomp; filter != nil && filter.Notify {
		if handover, err = seccomp.NewHandover(); err != nil {
			return err
		}
	}
	c.plan.addExecuted(next.List, next.Childs.Fd(), c.found, handover)
	if err := c.make(c.plan.addExecuting); err != nil {
		return err
	}
	// The listener of the filter becomes a descriptor of the child, which must not pass it on: the
	// filter may keep it from doing so. We do, as it is one of ours too.
	if err := next.Clone(handover != nil); err != nil {
		return err
	}
	c.tellSpans("")
	if err := c.sync.Waiting(next.PID); err != nil {
		return fmt.Errorf("wait for the exec command: %w", err)
	}
	c.start = c.sync.Waiter()
	c.tellSpans("execve")
	if err := c.letGo(next, handover); err != nil {
		return err
	}
	os.Exit(0)
	return nil
}

// letGo lets the child go and returns when it has executed the program, or with the reason why it
// has not. Where the filter has a listener, it is the agent's business what becomes of the child
// once he has that. It has our descriptors then, which are closed when both of us are gone.
func (c *container) letGo(child *spawn.Successor, handover *seccomp.Handover) error {
	if err := LetGo(child.Channel); err != nil {
		return err
	}
	if handover != nil {
		spoke := func() bool {
			fds := []unix.PollFd{{Fd: int32(child.Channel.Fd()), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, 0)
			return err == nil && n > 0
		}
		if listener := handover.Listener(spoke); listener != nil {
			defer handover.Done()
			return c.start.Listener(listener)
		}
	}
	if _, err := child.List.Receive(child.Channel); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
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
