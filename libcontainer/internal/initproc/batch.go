package initproc

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/fdsocket"
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

	plan *Plan
	list *calls.List
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
	root := process.Root{Dir: b.Root} // with the /proc that the caller has
	found, warnings, err := p.addBecome(b.list, becoming{root: root, proc: -1, stdio: b.Peer == nil, init: b.Init})
	if err != nil {
		return nil, nil, err
	}
	b.fork()
	p.addExecuted(b.list, b.Channel.Fd(), found, nil)
	return b.list, warnings, nil
}

// join enters the container, but for its pid namespace: so none of its processes sees this one.
func (b *Batch) join() {
	l, p := b.list, b.plan
	addSession(l)
	p.addKeyring(l, lsm.Plan{}, -1)
	if p.Labelled() {
		p.Labels.Add(l, int(b.Proc.Fd()))
	}
	p.Exec.addMounts(l, b.Init)
	if b.Peer != nil {
		terminal := console.OnTerminal(b.Peer)
		terminal.Add(terminal.Here(l))
	}
}

// addMounts joins the container's mount namespace.
func (e *Exec) addMounts(l *calls.List, init *os.File) {
	if e.Mount {
		l.Do(unix.SYS_SETNS, init.Fd(), unix.CLONE_NEWNS).Or("join the container's mount namespace")
	}
}

// fork makes the process that will be the program, in the container's pid namespace and a
// child of the caller, and reports it.
func (b *Batch) fork() {
	l, message, child := b.list, b.list.Message(), b.list.Place()
	b.plan.addExecuting(l)
	clone := l.Do(unix.SYS_CLONE, unix.CLONE_PARENT|uintptr(unix.SIGCHLD))
	clone.Explain = func(errno unix.Errno) error {
		return fmt.Errorf("clone in the container's pid namespace: %w", spawn.ExplainClone(errno, 0))
	}
	clone.Result, clone.Zero = message+calls.MessageValue, child
	l.Do(unix.SYS_WRITE, b.Channel.Fd(), message, calls.ReportSize).Or("tell the pid of the process")
	l.Do(unix.SYS_EXIT_GROUP, 0)
	l.Add(child)
}

// addExecuting names a process that the seccomp filter may keep from the execve, and from saying
// so.
func (p *Plan) addExecuting(l *calls.List) {
	if p.Seccomp != nil {
		process.AddName(l, Executing)
	}
}

// addExecuted adds what the process of an exec does, which is all but the program when it is
// cloned: it waits to be let go by a byte from the channel, and executes the program. Nothing comes
// between the filter and that. With a handover for the filter's listener it shares its caller's
// descriptors, and closes none.
func (p *Plan) addExecuted(l *calls.List, channel uintptr, found *program.Found, handover *seccomp.Handover) {
	if handover == nil {
		p.addCloseAllBut(l, channel)
	}
	l.Do(unix.SYS_SETSID).Or("setsid")
	if p.Terminal != nil {
		l.Do(unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0).Explain = func(errno unix.Errno) error {
			return fmt.Errorf("make stdin the controlling terminal: %w", console.ExplainHangup(errno))
		}
	}
	if n := p.Exec.Nproc; n != nil {
		l.Do(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NPROC, l.Words(n.Cur, n.Max)).Or("set RLIMIT_NPROC")
	}
	end := &calls.Call{Number: unix.SYS_EXIT_GROUP, Args: [6]uintptr{1}}
	l.Do(unix.SYS_READ, channel, l.Room(8), 1).Or("wait for the exec command").Zero = end
	p.addFilter(l, handover)
	found.AddExec(l, nil)
	l.Add(end)
}

// addCloseAllBut closes what the program does not get, but for the channel, which its execve
// closes.
func (p *Plan) addCloseAllBut(l *calls.List, channel uintptr) {
	first := uintptr(3 + p.PreserveFDs)
	if channel > first {
		l.CloseRange(first, channel-1, 0, "close inherited descriptors")
	}
	l.CloseRange(channel+1, lastFD, 0, "close inherited descriptors")
	l.Do(unix.SYS_FCNTL, channel, unix.F_SETFD, unix.FD_CLOEXEC).Or("mark the channel close-on-exec")
}

// addFilter loads the seccomp filter.
func (p *Plan) addFilter(l *calls.List, handover *seccomp.Handover) {
	switch {
	case handover != nil:
		handover.AddLoad(l, p.Seccomp)
	case p.Seccomp != nil:
		l.Add(p.Seccomp.Load(l))
	}
}

// lastFD is beyond all descriptors.
const lastFD = ^uintptr(0) >> 33

// LetGo has a process that waits for a byte go on. One that has ended may have said why.
func LetGo(channel *os.File) error {
	if err := fdsocket.SendByte(channel, nil); err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("let the process go: %w", err)
	}
	return nil
}
