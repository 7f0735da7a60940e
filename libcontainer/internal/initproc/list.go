package initproc

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/libcontainer/internal/syncpipe"
)

// List is a create whose process is no Go program but a list of calls. Its first half is what
// init's beginSteps do; then it waits while a [Builder] makes its root. Its second half, which
// depends on what is found in that root, comes in a file meanwhile; it is what becomeSteps do.
//
// The command and the process have a channel, a stream socket. To the process come single bytes,
// the second with a file if it gets one for its stdio; the command gets reports of package calls,
// the first with the files of [List.Begin]. Whoever is left alone sees the end-of-file: the process
// ends.
//
// The fields are fds that both the command and the process have, at the same numbers.
type List struct {
	Channel *os.File
	Half    *os.File // a memfd, for the second half
	Lock    *os.File // the container's lock
	Start   *os.File // the start channel, nil if the plan Starts
	Proc    *os.File // the host's procfs, if the plan is Labelled

	// The numbers of these, which the command closes when the process has been started.
	channel, later, lock, start, proc uintptr

	plan  *Plan
	first *calls.List
	half  *calls.List
	file  uintptr // where the process has the number of a file that came
}

// Creatable says why the process of a create can't be a list of calls, or "".
func (p *Plan) Creatable() (why string) {
	if why := p.Root.NeedsInit(); why != "" {
		return why
	}
	switch {
	case os.Geteuid() != 0:
		return "the runtime's user is not root"
	case len(p.Process.Args) == 0:
		return "there is no process"
	case p.Seccomp != nil && p.Seccomp.Notify:
		return "the seccomp filter has a listener"
	case len(p.Hooks.CreateContainer) > 0:
		return "createContainer hooks run in the container's namespaces"
	case len(p.Hooks.StartContainer) > 0:
		return "startContainer hooks run in the container's namespaces"
	}
	return ""
}

// Pass lists what the process has open beside its stdio.
func (b *List) Pass() (files []*os.File) {
	for _, f := range []*os.File{b.Channel, b.Half, b.Lock, b.Start, b.Proc} {
		if f != nil {
			files = append(files, f)
		}
	}
	return files
}

// Begin works out the first half. waits tells that the process is not in its cgroup yet, and waits
// for a byte until it is. The first report comes with files: the superblocks of the mounts that are
// returned, and the process's cgroup namespace if that is last.
func (b *List) Begin(p *Plan, waits bool) (l *calls.List, mounts []int, cgroup bool) {
	b.plan = p
	b.channel, b.later, b.lock = b.Channel.Fd(), b.Half.Fd(), b.Lock.Fd()
	if b.Start != nil {
		b.start = b.Start.Fd()
	}
	l = calls.New(int(b.channel))
	b.first = l
	addSession(l)
	l.Do(unix.SYS_CHDIR, l.Text("/")).Or("chdir %q", "/") // so that the change of root takes it along
	proc, labels := -1, lsm.Plan{}
	if b.Proc != nil {
		b.proc = b.Proc.Fd()
		proc, labels = int(b.proc), p.Labels
	}
	if p.Keyring {
		p.addKeyring(l, labels, proc)
	}
	leave := &calls.Call{Number: unix.SYS_EXIT_GROUP, Args: [6]uintptr{1}}
	if waits {
		l.Do(unix.SYS_READ, b.channel, l.Room(8), 1).Or("wait for the cgroup").Zero = leave
	}
	p.addCgroupNamespace(l)
	var fds []uintptr
	for _, c := range p.Root.AddProcs(l) {
		mounts, fds = append(mounts, c.Index), append(fds, c.FD)
	}
	if cgroup = p.CgroupNamespace != "" && p.Root.ShowsCgroups(); cgroup {
		fds = append(fds, addOwnCgroup(l))
	}
	b.send(fds)
	b.receive(leave)
	b.half = l.Later(b.later, b.room())
	return l, mounts, cgroup
}

// addOwnCgroup opens the process's cgroup namespace, and returns where its number is.
func addOwnCgroup(l *calls.List) uintptr {
	const path = "/proc/self/ns/cgroup"
	at := unix.AT_FDCWD
	open := l.Do(unix.SYS_OPENAT, uintptr(at), l.Text(path), unix.O_RDONLY|unix.O_CLOEXEC).Or("open %q", path)
	open.Result = l.Room(8)
	return open.Result
}

const sizeofCmsghdr = 16 // on 64-bit systems

// message has a struct msghdr in the process's memory, sendmsg(2), for size bytes at data and one
// control message.
func message(l *calls.List, data uintptr, size uint64, control uintptr, length int) uintptr {
	iov := l.Words(uint64(data), size)
	return l.Words(0, 0, uint64(iov), 1, uint64(control), uint64(length), 0)
}

// send reports the process's pid in its own pid namespace, with descriptors whose numbers stand at
// fds, and closes these.
func (b *List) send(fds []uintptr) {
	l, report := b.first, b.first.Message()
	l.Do(unix.SYS_GETPID).Result = report + calls.MessageValue
	if len(fds) == 0 {
		l.Do(unix.SYS_WRITE, b.channel, report, calls.ReportSize).Or("report to the command")
		return
	}
	control := l.Words(uint64(sizeofCmsghdr+4*len(fds)), unix.SOL_SOCKET|unix.SCM_RIGHTS<<32)
	l.Room(4 * len(fds))
	for i, fd := range fds {
		l.Do(calls.Copy, control+sizeofCmsghdr+4*uintptr(i), fd)
	}
	header := message(l, report, calls.ReportSize, control, unix.CmsgSpace(4*len(fds)))
	l.Do(unix.SYS_SENDMSG, b.channel, header, unix.MSG_NOSIGNAL).Or("hand superblocks to the command")
	for _, fd := range fds {
		l.On(fd, unix.SYS_CLOSE)
	}
}

// receive waits until the root is made. leave is where to go if the command is gone.
func (b *List) receive(leave *calls.Call) {
	l := b.first
	control := l.Room(sizeofCmsghdr + 8)
	b.file = control + sizeofCmsghdr
	header := message(l, l.Room(8), 1, control, unix.CmsgSpace(4))
	wait := l.Do(unix.SYS_RECVMSG, b.channel, header, unix.MSG_CMSG_CLOEXEC).Or("wait for the root")
	wait.Zero, wait.Then = leave, l.Place()
	l.Add(leave)
	l.Add(wait.Then)
}

// room is more than the second half takes.
func (b *List) room() int {
	p := &b.plan.Process
	n := 64<<10 + 4*len(p.Groups)
	for _, list := range [...][]string{p.Args, p.Env} {
		for _, s := range list {
			n += len(s) + 24
		}
	}
	const candidate = 2 << 10 // calls for one
	n += (strings.Count(p.Path, ":") + 1) * (candidate + 3*len(p.Args[0]))
	if b.plan.Seccomp != nil {
		n += len(b.plan.Seccomp.Instructions)
	}
	return n + 3*len(p.Path) + 256*len(p.Rlimits)
}

// Finish works out the second half, which goes to [List.Half]. root is the container's, as the
// command has it. ahead tells that the process need not wait for the commit. stdio is the file that
// goes with the byte for which it waits.
func (b *List) Finish(root process.Root, stdio *console.Stdio, ahead bool) (warnings []string, err error) {
	if warnings, err = b.become(root, stdio, ahead); err != nil {
		return nil, err
	}
	return warnings, b.half.Send(b.Half)
}

// become adds the second half.
func (b *List) become(root process.Root, stdio *console.Stdio, ahead bool) (warnings []string, err error) {
	l, p := b.half, b.plan
	b.takeStdio(stdio)
	p.addCloseOnExec(l)
	l.Do(unix.SYS_CLOSE, b.later)
	if p.Labelled() {
		p.Labels.Add(l, int(b.proc))
		l.Do(unix.SYS_CLOSE, b.proc)
	}
	found, warnings, err := p.addBecome(l, becoming{root: root, proc: -1, stdio: !stdio.Terminal})
	if err != nil {
		return nil, err
	}
	b.ready(ahead)
	b.execute(found)
	return warnings, nil
}

// takeStdio puts the process on what came with the byte.
func (b *List) takeStdio(stdio *console.Stdio) {
	if stdio.File == nil {
		return
	}
	came := func(number uintptr, args ...uintptr) *calls.Call { return b.half.On(b.file, number, args...) }
	stdio.AddControl(came)
	stdio.Add(came)
	came(unix.SYS_CLOSE)
}

// ready reports that all is done but the program, and waits until the container's record is on disk
// and it is started. Then it lets go of the command.
func (b *List) ready(ahead bool) {
	l, channel := b.half, b.channel
	if b.plan.Limited {
		process.AddName(l, Executing)
	}
	l.Do(unix.SYS_WRITE, channel, l.Message(), calls.ReportSize).Or("report to the command")
	if !ahead {
		wait := l.Do(unix.SYS_READ, channel, l.Room(8), 1).Or("wait for the commit")
		wait.Zero, wait.Then = &calls.Call{Number: unix.SYS_EXIT_GROUP, Args: [6]uintptr{1}}, l.Place()
		l.Add(wait.Zero)
		l.Add(wait.Then)
	}
	l.Do(unix.SYS_CLOSE, b.lock)
	if !b.plan.Starts {
		l.Do(unix.SYS_CLOSE, channel)
		syncpipe.AddAwaitStart(l, b.start)
	}
}

// execute becomes the program. A start command gets to know what was refused; whoever has the list
// can tell by that.
func (b *List) execute(found *program.Found) {
	l := b.half
	var refusable func(path string, first, second *calls.Call)
	if !b.plan.Starts {
		refusable = func(path string, first, second *calls.Call) {
			syncpipe.AddRefusable(l, syncpipe.Refused{Path: path}, first, second)
		}
	}
	b.plan.addExecuting(l)
	if filter := b.plan.Seccomp; b.plan.Starts {
		b.plan.addFilter(l, nil)
	} else if filter != nil {
		load := filter.Load(l)
		try := *load
		syncpipe.AddRefusable(l, syncpipe.Refused{What: seccomp.Loading}, &try, load)
	}
	found.AddExec(l, refusable)
}
