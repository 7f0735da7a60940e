package initproc

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/libcontainer/internal/spawn"
)

// Batch is an exec whose init is no Go program but a batch of system calls: execSteps, made
// where it pays, for an exec is what is done most often to a container. It starts in no
// time, and what the container's processes might see of it holds nothing but what was
// meant for the container. The fields are fds that both the caller and init have.
type Batch struct {
	Channel *os.File // a socket: reports go out, and a byte lets the process go
	Init    *os.File // pidfd of the container's init
	Proc    *os.File // the host's procfs, if Labelled
	Peer    *os.File // the terminal, or nil
	Root    *os.File // the container's root, which only the caller has

	plan    *Plan
	list    *calls.List
	program *program.Found
}

// Batchable tells whether a batch can do the exec. In a user namespace it could not: what is
// looked up beforehand is looked up with the caller's rights. And the listener of a seccomp
// filter has to be passed on by a process that is not under it.
func (p *Plan) Batchable() bool {
	return !p.UserNamespace && os.Geteuid() == 0 && (p.Seccomp == nil || !p.Seccomp.Notify)
}

// Labelled tells whether the batch needs a procfs.
func (p *Plan) Labelled() bool { return p.Labels != (lsm.Plan{}) }

// List works the batch out. Its first report is the pid of the process, which then waits
// for a byte from the channel; its second, the end of file, that the program runs.
func (b *Batch) List(p *Plan) (l *calls.List, warnings []string, err error) {
	b.plan, b.list = p, calls.New(int(b.Channel.Fd()))
	b.join()
	if warnings, err = b.become(); err != nil {
		return nil, nil, err
	}
	b.fork()
	b.execute()
	return b.list, warnings, nil
}

// root is for what the caller reads there, with the /proc that the caller has.
func (b *Batch) root() process.Root { return process.Root{Dir: b.Root} }

// join enters the container, but for its pid namespace: so none of its processes sees this one.
func (b *Batch) join() {
	l, p := b.list, b.plan
	addSession(l)
	p.addKeyring(l, lsm.Plan{}, -1)
	if p.Labelled() {
		p.Labels.Add(l, int(b.Proc.Fd()))
	}
	if p.Exec.Mount {
		l.Do(unix.SYS_SETNS, b.Init.Fd(), unix.CLONE_NEWNS).Or("join the container's mount namespace")
	}
	if b.Peer != nil {
		terminal := console.OnTerminal(b.Peer)
		terminal.Add(terminal.Here(l))
	}
}

// become makes the process all that the program shall be.
func (b *Batch) become() (warnings []string, err error) {
	l, p := b.list, &b.plan.Process
	p.AddRlimits(l, 0)
	process.AddNproc(l, b.plan.Exec.Nproc)
	p.AddPriorities(l, true)
	if b.plan.Exec.PID { // for children
		l.Do(unix.SYS_SETNS, b.Init.Fd(), unix.CLONE_NEWPID).Or("join the container's pid namespace")
	}
	p.ResolveHome(b.root())
	if warnings, err = b.plan.addUser(l, b.root(), -1, b.Peer == nil); err != nil {
		return nil, err
	}
	b.program, err = program.AddLookup(l, p, b.root())
	return warnings, err
}

// fork makes the process that will be the program, in the container's pid namespace and a
// child of the caller, and reports it.
func (b *Batch) fork() {
	l, message, child := b.list, b.list.Message(), b.list.Place()
	if b.plan.Seccomp != nil {
		process.AddName(l, Executing)
	}
	clone := l.Do(unix.SYS_CLONE, unix.CLONE_PARENT|uintptr(unix.SIGCHLD))
	clone.Explain = func(errno unix.Errno) error {
		return fmt.Errorf("clone in the container's pid namespace: %w", spawn.ExplainClone(errno, 0))
	}
	clone.Result, clone.Zero = message+calls.MessageValue, child
	l.Do(unix.SYS_WRITE, b.Channel.Fd(), message, calls.ReportSize).Or("tell the pid of the process")
	l.Do(unix.SYS_EXIT_GROUP, 0)
	l.Add(child)
}

// execute waits to be let go, and executes the program. Nothing comes between the filter
// and that.
func (b *Batch) execute() {
	l, p, channel := b.list, b.plan, b.Channel.Fd()
	first := uintptr(3 + p.PreserveFDs)
	if channel > first {
		l.Do(unix.SYS_CLOSE_RANGE, first, channel-1, 0).Or("close inherited descriptors")
	}
	l.Do(unix.SYS_CLOSE_RANGE, channel+1, ^uintptr(0)>>33, 0).Or("close inherited descriptors")
	l.Do(unix.SYS_FCNTL, channel, unix.F_SETFD, unix.FD_CLOEXEC).Or("mark the channel close-on-exec")
	l.Do(unix.SYS_SETSID).Or("setsid")
	if b.Peer != nil {
		l.Do(unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0).Explain = func(errno unix.Errno) error {
			return fmt.Errorf("make stdin the controlling terminal: %w", console.ExplainHangup(errno))
		}
	}
	if n := p.Exec.Nproc; n != nil {
		l.Do(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NPROC, l.Words(n.Cur, n.Max)).Or("set RLIMIT_NPROC")
	}
	end := &calls.Call{Number: unix.SYS_EXIT_GROUP, Args: [6]uintptr{1}}
	l.Do(unix.SYS_READ, channel, l.Room(8), 1).Or("wait for the exec command").Zero = end
	addFilter(l, p.Seccomp)
	b.program.AddExec(l, nil)
	l.Add(end)
}

func addFilter(l *calls.List, filter *seccomp.Filter) {
	if filter != nil {
		l.Add(filterCall(l, filter))
	}
}

// loadingFilter is what an error of the filter's loading is called.
const loadingFilter = "load the seccomp filter"

// filterCall is the call that loads the filter.
func filterCall(l *calls.List, filter *seccomp.Filter) *calls.Call {
	fprog := l.Words(uint64(filter.Len()), uint64(l.Bytes(filter.Instructions))) // struct sock_fprog
	load := &calls.Call{Number: unix.SYS_SECCOMP, Args: [6]uintptr{unix.SECCOMP_SET_MODE_FILTER, uintptr(filter.Flags), fprog}}
	return load.Or(loadingFilter)
}
