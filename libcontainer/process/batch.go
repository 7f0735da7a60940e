package process

import (
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/batch"
	"oci-run/libcontainer/linux"
)

// What follows adds to a batch of system calls what the functions of similar names do to the calling thread. The process that
// makes the calls must be a child of the caller, and in its user namespace.

// AddKeyring is JoinKeyring for a keyring that exists.
func AddKeyring(l *batch.List, id string) {
	name := "_ses." + id
	join := l.Do(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, l.Text(name))
	join.Expect = []unix.Errno{unix.ENOSYS}
	join.Explain = func(errno unix.Errno) error { return keyringError(name, errno) }
}

// AddDumpable is SetDumpable(false).
func AddDumpable(l *batch.List) {
	l.Do(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0).Or("prctl PR_SET_DUMPABLE")
}

// AddName is SetName.
func AddName(l *batch.List, name string) {
	l.Do(unix.SYS_PRCTL, unix.PR_SET_NAME, l.Text(name)).Or("take the name %q (prctl PR_SET_NAME)", name)
}

// AddRlimits is SetRlimits.
func (p *Plan) AddRlimits(l *batch.List) {
	for _, limit := range p.Rlimits {
		set := l.Do(unix.SYS_PRLIMIT64, 0, uintptr(limit.Resource), l.Words(limit.Soft, limit.Hard))
		set.Explain = func(errno unix.Errno) error { return limit.failure(0, errno) }
	}
}

// AddNproc raises the hard RLIMIT_NPROC as far as limit, nil for none, needs it: limit itself is set only when the change of
// user is over, which it would hinder.
func AddNproc(l *batch.List, limit *unix.Rlimit) {
	var old unix.Rlimit
	if limit == nil || unix.Getrlimit(unix.RLIMIT_NPROC, &old) != nil || limit.Max <= old.Max {
		return
	}
	l.Do(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NPROC, l.Words(old.Cur, limit.Max)).Or("raise RLIMIT_NPROC to %d", limit.Max)
}

// AddPriorities is SetExecAffinity, ResetInherited, SetScheduler as far as a child inherits it, SetIOPriority, SetMemoryPolicy and SetPersonality.
func (p *Plan) AddPriorities(l *batch.List) {
	p.addExecAffinity(l)
	p.AddResets(l)
	if p.Scheduler != nil && p.Scheduler.Inherited() {
		l.Do(unix.SYS_SCHED_SETATTR, 0, batch.Struct(l, &p.Scheduler.Attr), 0).Explain = p.Scheduler.failure
	}
	if p.IOPriority != 0 {
		l.Do(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, uintptr(p.IOPriority)).Explain = p.ioPriorityError
	}
	if m := p.MemoryPolicy; m != nil {
		l.Do(unix.SYS_SET_MEMPOLICY, uintptr(m.Mode), l.Words(m.Nodes...), m.maxnode()).Explain = m.failure
	}
	if p.Personality != nil {
		l.Do(unix.SYS_PERSONALITY, uintptr(*p.Personality)).Or("set personality %#x", *p.Personality)
	}
}

func (p *Plan) addExecAffinity(l *batch.List) {
	if set := p.AffinityFinal; len(set) > 0 {
		l.Do(unix.SYS_SCHED_SETAFFINITY, 0, uintptr(len(set)*8), l.Words(set...)).Or("execCPUAffinity.final: set CPU affinity %s", set)
	} else if len(p.AffinityInitial) == 0 {
		set := everyCPU()
		reset := l.Do(unix.SYS_SCHED_SETAFFINITY, 0, uintptr(len(set)*8), l.Words(set...)).Or("reset CPU affinity")
		reset.Expect = []unix.Errno{unix.EINVAL, unix.EPERM}
	}
}

// AddStdio is OwnStdio: the process has the caller's fds 0, 1 and 2.
func (p *Plan) AddStdio(l *batch.List) error {
	for fd := range 3 {
		foreign, err := p.foreign(fd)
		if err != nil {
			return err
		}
		if foreign {
			own := l.Do(unix.SYS_FCHOWN, uintptr(fd), uintptr(p.UID), ^uintptr(0)).Or("chown fd %d to uid %d", fd, p.UID)
			own.Expect = []unix.Errno{unix.EPERM, unix.EROFS, unix.EINVAL}
		}
	}
	return nil
}

// AddUser is SetUser.
func (p *Plan) AddUser(l *batch.List) {
	if !p.KeepGroups {
		groups := l.Do(linux.SysSetgroups, uintptr(len(p.Groups)), l.Halves(p.Groups...))
		groups.Explain = func(errno unix.Errno) error {
			return fmt.Errorf("set groups %v: %w%s", p.Groups, errno, unmapped(errno))
		}
		if p.GroupsDenied && len(p.Groups) == 0 {
			groups.Expect = []unix.Errno{unix.EPERM}
		}
	}
	gid, uid := uintptr(p.GID), uintptr(p.UID)
	l.Do(linux.SysSetresgid, gid, gid, gid).Explain = func(errno unix.Errno) error { return idError("gid", p.GID, errno) }
	l.Do(linux.SysSetresuid, uid, uid, uid).Explain = func(errno unix.Errno) error { return idError("uid", p.UID, errno) }
}

// AddRest is SetUmask and SetNoNewPrivs.
func (p *Plan) AddRest(l *batch.List) {
	l.Do(unix.SYS_UMASK, uintptr(p.Umask))
	if p.NoNewPrivs {
		l.Do(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1).Or("prctl PR_SET_NO_NEW_PRIVS")
	}
}

// Entering is the change to the working directory in a batch: begun by AddCwd before the change of user, ended by AddAgain after it,
// as with EnterCwd.
type Entering struct {
	plan    *Plan
	root    Root    // for errors
	entered uintptr // a byte that is 1 once it is done
	buf     uintptr
}

// AddCwd is EnterCwd before the change of user. root is the container's, for errors.
func (p *Plan) AddCwd(l *batch.List, root Root) *Entering {
	e := &Entering{plan: p, root: root, entered: l.Room(8), buf: l.Room(unix.PathMax)}
	after := l.Place()
	e.add(l, []unix.Errno{unix.EACCES, unix.EPERM}, after)
	l.Do(batch.Set, e.entered, 1)
	l.Add(after)
	return e
}

// AddAgain tries after the change of user what was not permitted before it.
func (e *Entering) AddAgain(l *batch.List) {
	after := l.Place()
	again := l.Do(batch.Equal, e.entered, 0, uintptr(unix.EALREADY))
	again.Expect, again.Else = []unix.Errno{unix.EALREADY}, after
	e.add(l, nil, nil)
	l.Add(after)
}

// add adds one attempt, which goes elsewhere after the errors in expect. The process's root is the container's by then, so that
// the lookup needs no RESOLVE_IN_ROOT, under which any rename or mount on the machine may fail a ".." (EAGAIN).
func (e *Entering) add(l *batch.List, expect []unix.Errno, elsewhere *batch.Call) {
	explain := func(errno unix.Errno) error { return e.plan.cwdError(e.root, errno) }
	here := unix.AT_FDCWD
	how := batch.Struct(l, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS,
	})
	open := l.Do(unix.SYS_OPENAT2, uintptr(here), l.Text(e.plan.Cwd), how, unix.SizeofOpenHow)
	fchdir := l.Do(unix.SYS_FCHDIR, 0)
	open.Into = fchdir
	for _, c := range []*batch.Call{open, fchdir} {
		c.Explain, c.Expect, c.Else = explain, expect, elsewhere
	}
	l.Do(unix.SYS_GETCWD, e.buf, unix.PathMax).Or("cwd %q: getcwd", e.plan.Cwd)
	l.Do(batch.Equal, e.buf, '/', uintptr(unix.EXDEV)).Explain = func(unix.Errno) error { return e.plan.cwdOutside() }
}
