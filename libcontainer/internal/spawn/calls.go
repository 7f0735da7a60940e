package spawn

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/process"
	"oci-run/specconv"
)

// lineage is what the first clone, or the two of them, have to do.
type lineage struct {
	*Request
	stage, parent int // the child's end of the channel, and ours
	joined        uintptr
	list          *calls.List
	child         *child
}

// prepare works out all that the child does. The namespaces that the first clone creates and
// whether there is a second follow from the kernel's rules: setns of a pid namespace, and unshare
// of a time namespace, take effect on children only; and what is created must belong to a joined
// user namespace, so it has to come after it. A process that is pid 1 of its namespace can't clone
// with CLONE_PARENT, so a second clone creates all but the user namespace.
func prepare(r *Request, stage [2]int) (*child, error) {
	l := &lineage{Request: r, parent: stage[0], stage: stage[1], list: calls.NewHere(stage[1])}
	for _, j := range r.Join {
		l.joined |= j.Flag
	}
	c := &child{list: l.list, ask: r.New&unix.CLONE_NEWUSER != 0}
	l.child = c
	c.twice = r.New&unix.CLONE_NEWTIME != 0 || l.joined&unix.CLONE_NEWPID != 0 ||
		l.joined&(unix.CLONE_NEWTIME|unix.CLONE_NEWUSER) != 0 && r.New != 0
	flags := r.New &^ unix.CLONE_NEWTIME
	if c.twice {
		flags &= unix.CLONE_NEWUSER
	}
	c.first = cloneArgs{flags: uint64(flags) | unix.CLONE_CLEAR_SIGHAND, exitSignal: uint64(unix.SIGCHLD)}
	if c.vfork = canVfork && !r.Copied && l.borrows(); c.vfork {
		c.first.flags |= unix.CLONE_VM | unix.CLONE_VFORK
	}
	if r.Cgroup != nil {
		c.first.flags |= unix.CLONE_INTO_CGROUP
		c.first.cgroup = uint64(r.Cgroup.Fd())
	}
	l.describe()
	return c, c.list.LayOut()
}

// userNamespace tells if the child enters a user namespace, new or not.
func (l *lineage) userNamespace() bool { return (l.New|l.joined)&unix.CLONE_NEWUSER != 0 }

// borrows tells whether the first clone can do with our memory instead of a copy of it,
// which takes about as long as all that the child does. We are suspended until its execve,
// so it can't ask us for anything; the kernel lets only a process with memory of its own
// into a time namespace; and a change of ids would make our own files in /proc root's.
func (l *lineage) borrows() bool {
	return !l.userNamespace() && (l.New|l.joined)&unix.CLONE_NEWTIME == 0
}

// describe is the order of it all. The time namespace's file belongs to who we are before we become
// the user namespace's root: changing ids makes a process non-dumpable, and its files in /proc
// global root's.
func (l *lineage) describe() {
	l.enterCgroups()
	l.join()
	if l.child.ask {
		l.await()
	}
	if l.New&unix.CLONE_NEWTIME != 0 {
		l.newTime()
	}
	if l.userNamespace() {
		l.becomeRoot()
	}
	if l.child.twice {
		l.cloneAgain()
	}
	l.exec()
}

// do adds a call whose errors don't matter.
func (l *lineage) do(number uintptr, args ...uintptr) {
	l.list.Do(number, args...).Expect = []unix.Errno{calls.Any}
}

// tell adds a message to the parent; value is where it is to be stored.
func (l *lineage) tell() (value uintptr, send *calls.Call) {
	message := l.list.Message()
	send = &calls.Call{Number: unix.SYS_WRITE, Args: [6]uintptr{uintptr(l.stage), message, calls.ReportSize}}
	return message + calls.MessageValue, send.Or("report to the parent")
}

// enterCgroups moves the child, which is its only thread, into the cgroups of v1 hierarchies: "0"
// stands for the writer.
func (l *lineage) enterCgroups() {
	if mask := l.Affinity; len(mask) > 0 { // best effort: it may name no CPU that the cpuset allows
		l.do(unix.SYS_SCHED_SETAFFINITY, 0, uintptr(len(mask)), l.list.Bytes(mask))
	}
	for _, f := range l.Tasks {
		l.list.Do(unix.SYS_WRITE, f.Fd(), l.list.Text("0"), 1).Or("write \"0\" to %q", f.Name())
	}
}

// join enters the given namespaces: those that we may enter with the privileges that we have now
// first, then the user namespace, then those that only its root may enter (setns(2): CAP_SYS_ADMIN
// in the user namespace that owns the target).
func (l *lineage) join() {
	user := slices.IndexFunc(l.Join, func(j Join) bool { return j.Flag == unix.CLONE_NEWUSER })
	// Those in a user namespace who may trace could look at us from the moment that we are there.
	// An ordinary user isn't protected from his own containers, and could not write to our files in
	// /proc then.
	if l.joined&unix.CLONE_NEWUSER != 0 && os.Geteuid() == 0 {
		l.list.Do(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0).Or("hide from the processes of the user namespace (prctl PR_SET_DUMPABLE)")
	}
	entered := make([]uintptr, len(l.Join))
	for i := range l.Join {
		if i == user {
			continue
		}
		set := l.setns(i)
		if user >= 0 {
			entered[i] = l.list.Room(8)
			set.Expect, set.Else = []unix.Errno{unix.EPERM}, l.list.Place()
			l.list.Do(calls.Set, entered[i], 1)
			l.list.Add(set.Else)
		}
	}
	if user < 0 {
		return
	}
	l.setns(user).Expect = []unix.Errno{unix.EINVAL} // it is the user namespace that we are in
	for i := range l.Join {
		if i == user {
			continue
		}
		after := l.list.Place()
		again := l.list.Do(calls.Equal, entered[i], 0, uintptr(unix.EALREADY))
		again.Expect, again.Else = []unix.Errno{unix.EALREADY}, after
		l.setns(i)
		l.list.Add(after)
	}
}

func (l *lineage) setns(i int) *calls.Call {
	j := &l.Join[i]
	return l.list.Do(unix.SYS_SETNS, j.File.Fd(), j.Flag).Or("join %s namespace %q", j.Name, j.File.Name())
}

// await asks for the id mappings and waits until they are written.
func (l *lineage) await() {
	// Our copy of the parent's end would keep us from seeing that it died.
	l.do(unix.SYS_CLOSE, uintptr(l.parent))
	_, ask := l.tell()
	l.list.Add(ask)
	orphaned := &calls.Call{Number: unix.SYS_EXIT_GROUP, Args: [6]uintptr{1}}
	read := l.list.Do(unix.SYS_READ, uintptr(l.stage), l.list.Room(8), 1).Or("wait for id mappings")
	read.Then, read.Zero = l.list.Place(), orphaned
	l.list.Add(orphaned)
	l.list.Add(read.Then)
}

// newTime creates the time namespace that the second clone enters, and sets its clocks,
// time_namespaces(7).
func (l *lineage) newTime() {
	l.list.Do(unix.SYS_UNSHARE, unix.CLONE_NEWTIME).Explain = func(errno unix.Errno) error {
		return &CloneError{New: unix.CLONE_NEWTIME, Inside: l.userNamespace(), Errno: errno, Err: fmt.Errorf("make time namespace: %w", errno)}
	}
	if l.TimeOffsets == "" {
		return
	}
	const path = "/proc/self/timens_offsets"
	at := unix.AT_FDCWD
	open := l.list.Do(unix.SYS_OPENAT, uintptr(at), l.list.Text(path), unix.O_WRONLY|unix.O_CLOEXEC).Or("open %q", path)
	write := l.list.Do(unix.SYS_WRITE, 0, l.list.Text(l.TimeOffsets), uintptr(len(l.TimeOffsets)))
	write.Explain = func(errno unix.Errno) error { return offsetsError(l.TimeOffsets, errno) }
	open.Into = write
}

// offsetsError says why the kernel takes no such offsets: a clock can't begin before the machine
// did, nor end too soon (kernel/time/namespace.c, proc_timens_set_offset).
func offsetsError(offsets string, errno unix.Errno) error {
	hint := ""
	if errno == unix.ERANGE {
		hint = " (a clock of the container would be below 0 or beyond 146 years)"
	}
	return specconv.Fieldf("/linux/timeOffsets", "set the clocks to %q: %w%s", strings.TrimSpace(offsets), errno, hint)
}

// becomeRoot takes uid and gid 0 of the user namespace, so that the exec keeps our capabilities in
// it. Where 0 is not mapped we have to be somebody else, for nobody can make files; the
// capabilities are made ambient then.
func (l *lineage) becomeRoot() {
	root, done := l.list.Place(), l.list.Place()
	gid := l.list.Do(linux.SysSetresgid, 0, 0, 0).Or("take gid 0 of the user namespace")
	gid.Expect, gid.Then = []unix.Errno{unix.EINVAL}, root
	own := uintptr(l.GID)
	l.list.Do(linux.SysSetresgid, own, own, own).Or("take gid %d of the user namespace", own)
	l.list.Add(root)
	uid := l.list.Do(linux.SysSetresuid, 0, 0, 0).Or("take uid 0 of the user namespace")
	uid.Expect, uid.Then = []unix.Errno{unix.EINVAL}, done
	own = uintptr(l.UID)
	l.list.Do(linux.SysSetresuid, own, own, own).Or("take uid %d of the user namespace", own)
	l.keepCapabilities()
	l.list.Add(done)
}

// keepCapabilities makes what is permitted inheritable and ambient, capabilities(7).
func (l *lineage) keepCapabilities() {
	const what = "keep capabilities in a user namespace without root"
	header := l.list.Halves(unix.LINUX_CAPABILITY_VERSION_3, 0)
	sets := l.list.Room(24) // twice effective, permitted, inheritable
	l.list.Do(unix.SYS_CAPGET, header, sets).Or(what)
	l.list.Do(calls.Copy, sets+8, sets+4)
	l.list.Do(calls.Copy, sets+20, sets+16)
	l.list.Do(unix.SYS_CAPSET, header, sets).Or(what)
	for i := range uintptr(64) { // EINVAL beyond the last one that the kernel knows
		l.do(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, i)
	}
}

// cloneAgain makes the process that goes on, a child of the caller too. It is born into a
// container, whose processes may look at what it has open (CVE-2016-9962): so it has nothing but
// what it needs.
func (l *lineage) cloneAgain() {
	kept := []uintptr{uintptr(l.stage), l.Exe.Fd()}
	for _, f := range l.Pass {
		kept = append(kept, f.Fd())
	}
	slices.Sort(kept)
	next := uintptr(l.Inherit)
	for _, fd := range append(kept, ^uintptr(0)>>33) {
		if fd > next {
			l.list.CloseRange(next, fd-1, 0, "close fds from %d to %d", next, fd-1)
		}
		next = max(next, fd+1)
	}
	flags := l.New&^(unix.CLONE_NEWTIME|unix.CLONE_NEWUSER) | unix.CLONE_PARENT | uintptr(unix.SIGCHLD)
	first, second := linux.Clone(flags)
	clone := l.list.Do(unix.SYS_CLONE, first, second)
	clone.Explain = func(errno unix.Errno) error {
		return &CloneError{
			New: flags & newNamespaces, Inside: l.userNamespace(), Errno: errno,
			Err: fmt.Errorf("clone in the joined namespaces: %w", ExplainClone(errno, flags)),
		}
	}
	value, report := l.tell()
	clone.Result, clone.Zero = value, l.list.Place()
	l.list.Add(report)
	l.list.Do(unix.SYS_EXIT_GROUP, 0)
	l.list.Add(clone.Zero)
}

// exec marks every fd that the new program must not have, and becomes it.
func (l *lineage) exec() {
	l.list.CloseRange(uintptr(l.Inherit), ^uintptr(0)>>33, unix.CLOSE_RANGE_CLOEXEC, "mark inherited fds close-on-exec")
	for _, f := range l.Pass {
		l.list.Do(unix.SYS_FCNTL, f.Fd(), unix.F_SETFD, 0).Or("leave fd %d open", f.Fd())
	}
	l.resetSignals()
	if l.Nofile.Max > 0 { // refused where the hard limit is above fs.nr_open: init looks what it has got
		l.do(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, l.list.Words(l.Nofile.Cur, l.Nofile.Max))
	}
	argv, envv := l.list.Vector(l.Args), l.list.Vector(l.Env)
	l.list.Do(unix.SYS_EXECVEAT, l.Exe.Fd(), l.list.Text(""), argv, envv, unix.AT_EMPTY_PATH).Or("execute oci-run's init")
}

// leftAlone are the signals that Go's runtime does not handle, so that they can still be ignored as
// our caller had it: for SIGHUP and SIGINT it respects that (os/signal), some it leaves to the
// system, and three to C libraries.
var leftAlone = [...]syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, 32, 33, 34}

// resetSignals undoes what our caller blocks or ignores, which a container would inherit through
// init: a program that waits for its SIGUSR2 or SIGHUP can't know about that. Handlers of our own
// are gone already.
func (l *lineage) resetSignals() {
	process.AddDefaultActions(l.list, leftAlone[:]...)
	const size = 8 // of the kernel's sigset_t
	l.list.Do(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, l.list.Room(size), 0, size).Or("unblock signals")
}

// standing is a child that only stands in its user namespace, new or joined, and waits.
func standing(join []Join, stage [2]int) (*child, error) {
	l := &lineage{Request: &Request{Join: join}, parent: stage[0], stage: stage[1], list: calls.NewHere(stage[1])}
	c := &child{list: l.list, ask: true}
	c.first.exitSignal = uint64(unix.SIGCHLD)
	l.join()
	l.await()
	l.list.Do(unix.SYS_EXIT_GROUP, 0)
	if err := l.list.LayOut(); err != nil {
		return nil, fmt.Errorf("lay out a child: %w", err)
	}
	return c, nil
}
