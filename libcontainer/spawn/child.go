package spawn

// Here is the first of the two raw forks of oci-run (program.go has the other). Between the
// clone and the execve the child is one thread of a Go program without the others, or
// borrows our memory while we are suspended (vfork(2)): it may make raw system calls and
// touch memory that was prepared before, and nothing else. So every function that it runs
// is nosplit, allocates nothing, calls nothing but RawSyscall6, and never returns into code
// that would. The runtime's own fork hooks bracket it, as in package syscall: signals are
// blocked from before the clone. The child never runs our handlers, which the kernel drops
// (CLONE_CLEAR_SIGHAND, Linux 5.5), and unblocks signals right before its execve.

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// maxPass bounds the fds that the new process gets beside the inherited ones.
const maxPass = 4

// maxTasks bounds the cgroup v1 hierarchies. A kernel has about 15 controllers.
const maxTasks = 32

// The steps of the child, for its reports. Those with a name in stepNames report errors;
// stepAsk and stepPID are the two that don't.
const (
	stepAsk uint32 = iota // maps are wanted
	stepPID               // value is the pid of the second clone
	stepTasks
	stepJoin
	stepWait
	stepGID
	stepUID
	stepCaps
	stepTime
	stepOffsets
	stepClone
	stepFDs
	stepExec
)

var stepNames = [...]string{
	stepTasks:   "join cgroup",
	stepJoin:    "join namespace",
	stepWait:    "wait for id mappings",
	stepGID:     "take a gid of the user namespace",
	stepUID:     "take a uid of the user namespace",
	stepCaps:    "keep capabilities in a user namespace without root",
	stepTime:    "create time namespace",
	stepOffsets: "write /proc/self/timens_offsets",
	stepClone:   "clone in the joined namespaces",
	stepFDs:     "mark inherited fds close-on-exec",
	stepExec:    "execute oci-run's init",
}

// cloneArgs is struct clone_args, clone(2).
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// child is all that the child reads, laid out before the clone.
type child struct {
	first    cloneArgs
	vfork    bool    // the first clone borrows our memory, see borrows
	ask      bool    // a new user namespace wants maps
	root     bool    // become root of the user namespace
	uid, gid uintptr // or these, where it has no root
	twice    bool    // clone a second time
	second   uintptr
	time     bool    // unshare the time namespace
	parent   uintptr // the other end of stage, to be closed in the child
	stage    uintptr
	tasks    [maxTasks]uintptr
	ntasks   int
	joins    [8]struct{ fd, flag uintptr }
	njoins   int
	user     int  // index of the user namespace among joins, or -1
	hide     bool // be non-dumpable from before entering it: those in it who may trace could look at us
	offsets  []byte
	affinity []byte
	nofile   unix.Rlimit
	inherit  uintptr
	pass     [maxPass]uintptr
	npass    int
	gaps     [maxPass + 3]struct{ first, last uintptr } // the fds between those that are kept
	ngaps    int
	exe      uintptr
	argv     []*byte
	envv     []*byte
	report   [2]uint32
	errno    syscall.Errno
	caps     [8]uint32 // capset(2) header and data

	noSignals     uint64   // an empty sigset_t
	defaultAction [64]byte // a struct kernel_sigaction with SIG_DFL, sigaction(2); no architecture's is larger
}

var (
	offsetsPath = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 't', 'i', 'm', 'e', 'n', 's', '_', 'o', 'f', 'f', 's', 'e', 't', 's', 0}
	emptyPath   [1]byte
	zero        = [...]byte{'0'}
)

func prepare(r *Request, stage int) (*child, error) {
	c := &child{
		stage: uintptr(stage), exe: r.Exe.Fd(), inherit: uintptr(r.Inherit), user: -1,
		uid: uintptr(r.UID), gid: uintptr(r.GID), offsets: []byte(r.TimeOffsets), affinity: r.Affinity, npass: len(r.Pass), njoins: len(r.Join),
		ntasks: len(r.Tasks), nofile: r.Nofile,
	}
	if len(r.Tasks) > maxTasks {
		return nil, fmt.Errorf("spawn: %d cgroup hierarchies are too many", len(r.Tasks))
	}
	for i, f := range r.Tasks {
		c.tasks[i] = f.Fd()
	}
	if len(r.Pass) > maxPass || len(r.Join) > len(c.joins) {
		return nil, fmt.Errorf("spawn: %d fds and %d namespaces are too many", len(r.Pass), len(r.Join))
	}
	for i, f := range r.Pass {
		c.pass[i] = f.Fd()
	}
	joined := uintptr(0)
	for i, j := range r.Join {
		c.joins[i].fd, c.joins[i].flag = j.File.Fd(), j.Flag
		joined |= j.Flag
		if j.Flag == unix.CLONE_NEWUSER {
			c.user = i
		}
	}
	// An ordinary user isn't protected from his own containers, and could not write to our files in /proc then.
	c.hide = joined&unix.CLONE_NEWUSER != 0 && os.Geteuid() == 0
	c.plan(r, joined)
	c.planGaps()
	var err error
	if c.argv, err = syscall.SlicePtrFromStrings(r.Args); err != nil {
		return nil, err
	}
	c.envv, err = syscall.SlicePtrFromStrings(r.Env)
	return c, err
}

// plan decides which namespaces the first clone creates and whether there is a second.
// setns of a pid namespace, and unshare of a time namespace, take effect on children
// only; and what is created must belong to a joined user namespace, so it has to come
// after it. A process that is pid 1 of its namespace can't clone with CLONE_PARENT, so a
// second clone creates all but the user namespace.
func (c *child) plan(r *Request, joined uintptr) {
	c.ask = r.New&unix.CLONE_NEWUSER != 0
	c.root = c.ask || joined&unix.CLONE_NEWUSER != 0
	c.time = r.New&unix.CLONE_NEWTIME != 0
	c.twice = c.time || joined&unix.CLONE_NEWPID != 0 || joined&(unix.CLONE_NEWTIME|unix.CLONE_NEWUSER) != 0 && r.New != 0
	flags := r.New &^ unix.CLONE_NEWTIME
	if c.twice {
		c.second = flags&^unix.CLONE_NEWUSER | unix.CLONE_PARENT | uintptr(unix.SIGCHLD)
		flags &= unix.CLONE_NEWUSER
	}
	c.first = cloneArgs{flags: uint64(flags) | unix.CLONE_CLEAR_SIGHAND, exitSignal: uint64(unix.SIGCHLD)}
	if c.vfork = canVfork && c.borrows(joined); c.vfork {
		c.first.flags |= unix.CLONE_VM | unix.CLONE_VFORK
	}
	if r.Cgroup != nil {
		c.first.flags |= unix.CLONE_INTO_CGROUP
		c.first.cgroup = uint64(r.Cgroup.Fd())
	}
}

// borrows tells whether the first clone can do with our memory instead of a copy of it,
// which takes about as long as all that the child does. We are suspended until its execve,
// so it can't ask us for anything; the kernel lets only a process with memory of its own
// into a time namespace; and a change of ids would make our own files in /proc root's.
func (c *child) borrows(joined uintptr) bool {
	return !c.ask && !c.root && !c.time && joined&unix.CLONE_NEWTIME == 0
}

// planGaps finds the ranges of fds that nothing needs after the joins.
func (c *child) planGaps() {
	kept := append([]uintptr{c.stage, c.exe}, c.pass[:c.npass]...)
	slices.Sort(kept)
	next := c.inherit
	for _, fd := range append(kept, ^uintptr(0)>>33) {
		if fd > next {
			c.gaps[c.ngaps].first, c.gaps[c.ngaps].last = next, fd-1
			c.ngaps++
		}
		next = max(next, fd+1)
	}
}

// clone forks. It returns in the parent only.
func (c *child) clone() (pid int, errno syscall.Errno) {
	beforeFork()
	r, errno := c.fork()
	afterFork()
	if errno == syscall.ENOSYS && c.vfork {
		// As in fork: without clone3 there is no vfork of ours.
		c.vfork = false
		c.first.flags &^= unix.CLONE_VM | unix.CLONE_VFORK
		return c.clone()
	}
	return int(r), errno
}

//go:nosplit
//go:noinline
//go:norace
func (c *child) fork() (uintptr, syscall.Errno) {
	var r uintptr
	var errno syscall.Errno
	if c.vfork {
		r, errno = vfork(uintptr(unsafe.Pointer(&c.first)), unsafe.Sizeof(c.first))
	} else {
		r, _, errno = syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&c.first)), unsafe.Sizeof(c.first), 0, 0, 0, 0)
	}
	if errno == syscall.ENOSYS && c.first.cgroup == 0 && !c.vfork {
		// A seccomp filter of an outer container hides clone3 from us.
		r, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(c.first.flags&^unix.CLONE_CLEAR_SIGHAND|c.first.exitSignal), 0, 0, 0, 0, 0)
		if errno == 0 && r == 0 {
			afterForkInChild()
		}
	}
	if errno != 0 || r != 0 {
		return r, errno
	}
	c.run()
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 1, 0, 0, 0, 0, 0)
	}
}

// run is the child. It returns only to exit.
//
//go:nosplit
//go:noinline
//go:norace
func (c *child) run() {
	if len(c.affinity) > 0 {
		// Best effort: the mask may name no CPU that the cpuset allows.
		syscall.RawSyscall6(unix.SYS_SCHED_SETAFFINITY, 0, uintptr(len(c.affinity)), uintptr(unsafe.Pointer(&c.affinity[0])), 0, 0, 0)
	}
	// The time namespace's file belongs to who we are before we become the user namespace's root: changing ids makes
	// a process non-dumpable, and its files in /proc global root's.
	if !c.enterCgroups() || !c.join() || c.ask && !c.await() || c.time && !c.newTime() || c.root && !c.becomeRoot() {
		return
	}
	if c.twice {
		// The second clone is born into a container, whose processes may look at what it has open
		// (CVE-2016-9962): so it has nothing.
		for i := 0; i < c.ngaps; i++ {
			syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, c.gaps[i].first, c.gaps[i].last, 0, 0, 0, 0)
		}
		pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, c.second, 0, 0, 0, 0, 0)
		if errno != 0 {
			c.fail(stepClone, errno)
			return
		}
		if pid != 0 {
			c.tell(stepPID, uint32(pid))
			syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
		}
	}
	c.exec()
}

// enterCgroups moves the child, which is its only thread, into the cgroups of v1
// hierarchies: "0" stands for the writer.
//
//go:nosplit
//go:norace
func (c *child) enterCgroups() bool {
	for i := 0; i < c.ntasks; i++ {
		_, _, c.errno = syscall.RawSyscall6(unix.SYS_WRITE, c.tasks[i], uintptr(unsafe.Pointer(&zero[0])), 1, 0, 0, 0)
		if c.errno != 0 {
			c.tell(stepTasks, uint32(c.errno)|uint32(i)<<16)
			return false
		}
	}
	return true
}

// join enters the given namespaces: those that we may enter with the privileges that we
// have now first, then the user namespace, then those that only its root may enter
// (setns(2): CAP_SYS_ADMIN in the user namespace that owns the target).
//
//go:nosplit
//go:norace
func (c *child) join() bool {
	if c.hide {
		syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0, 0)
	}
	for i := 0; i < c.njoins; i++ {
		if i == c.user {
			continue
		}
		_, _, c.errno = syscall.RawSyscall6(unix.SYS_SETNS, c.joins[i].fd, c.joins[i].flag, 0, 0, 0, 0)
		if c.errno == 0 {
			c.joins[i].flag = 0
		} else if c.errno != syscall.EPERM || c.user < 0 {
			c.tell(stepJoin, uint32(c.errno)|uint32(i)<<16)
			return false
		}
	}
	if c.user < 0 {
		return true
	}
	_, _, c.errno = syscall.RawSyscall6(unix.SYS_SETNS, c.joins[c.user].fd, unix.CLONE_NEWUSER, 0, 0, 0, 0)
	// EINVAL: it is the user namespace that we are in.
	if c.errno != 0 && c.errno != syscall.EINVAL {
		c.tell(stepJoin, uint32(c.errno)|uint32(c.user)<<16)
		return false
	}
	for i := 0; i < c.njoins; i++ {
		if i == c.user || c.joins[i].flag == 0 {
			continue
		}
		_, _, c.errno = syscall.RawSyscall6(unix.SYS_SETNS, c.joins[i].fd, c.joins[i].flag, 0, 0, 0, 0)
		if c.errno != 0 {
			c.tell(stepJoin, uint32(c.errno)|uint32(i)<<16)
			return false
		}
	}
	return true
}

// await asks for the id mappings and waits until they are written.
//
//go:nosplit
//go:norace
func (c *child) await() bool {
	// Our copy of the parent's end would keep us from seeing that it died.
	syscall.RawSyscall6(unix.SYS_CLOSE, c.parent, 0, 0, 0, 0, 0)
	c.tell(stepAsk, 0)
	n, _, errno := syscall.RawSyscall6(unix.SYS_READ, c.stage, uintptr(unsafe.Pointer(&c.report[0])), 1, 0, 0, 0)
	if errno != 0 || n != 1 {
		c.fail(stepWait, errno)
		return false
	}
	return true
}

// becomeRoot takes uid and gid 0 of the user namespace, so that the exec keeps our
// capabilities in it. Where 0 is not mapped we have to be somebody else, for nobody can
// make files; the capabilities are made ambient then.
//
//go:nosplit
//go:norace
func (c *child) becomeRoot() bool {
	_, _, c.errno = syscall.RawSyscall6(unix.SYS_SETRESGID, 0, 0, 0, 0, 0, 0)
	if c.errno == syscall.EINVAL {
		_, _, c.errno = syscall.RawSyscall6(unix.SYS_SETRESGID, c.gid, c.gid, c.gid, 0, 0, 0)
	}
	if c.errno != 0 {
		c.fail(stepGID, c.errno)
		return false
	}
	_, _, c.errno = syscall.RawSyscall6(unix.SYS_SETRESUID, 0, 0, 0, 0, 0, 0)
	if c.errno == 0 {
		return true
	}
	if c.errno == syscall.EINVAL {
		_, _, c.errno = syscall.RawSyscall6(unix.SYS_SETRESUID, c.uid, c.uid, c.uid, 0, 0, 0)
	}
	if c.errno != 0 {
		c.fail(stepUID, c.errno)
		return false
	}
	return c.keepCaps()
}

//go:nosplit
//go:norace
func (c *child) keepCaps() bool {
	c.caps[0] = unix.LINUX_CAPABILITY_VERSION_3
	hdr, data := uintptr(unsafe.Pointer(&c.caps[0])), uintptr(unsafe.Pointer(&c.caps[2]))
	_, _, c.errno = syscall.RawSyscall6(unix.SYS_CAPGET, hdr, data, 0, 0, 0, 0)
	if c.errno == 0 {
		c.caps[4], c.caps[7] = c.caps[3], c.caps[6] // inheritable = permitted, both words
		_, _, c.errno = syscall.RawSyscall6(unix.SYS_CAPSET, hdr, data, 0, 0, 0, 0)
	}
	for i := uintptr(0); c.errno == 0 && i < 64; i++ {
		_, _, errno := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, i, 0, 0, 0)
		if errno == syscall.EINVAL { // beyond the last capability
			break
		}
	}
	if c.errno != 0 {
		c.fail(stepCaps, c.errno)
		return false
	}
	return true
}

// newTime creates the time namespace that the second clone enters, and sets its clocks,
// time_namespaces(7).
//
//go:nosplit
//go:norace
func (c *child) newTime() bool {
	_, _, c.errno = syscall.RawSyscall6(unix.SYS_UNSHARE, unix.CLONE_NEWTIME, 0, 0, 0, 0, 0)
	if c.errno != 0 {
		c.fail(stepTime, c.errno)
		return false
	}
	if len(c.offsets) == 0 {
		return true
	}
	at := unix.AT_FDCWD
	fd, _, errno := syscall.RawSyscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&offsetsPath[0])), unix.O_WRONLY|unix.O_CLOEXEC, 0, 0, 0)
	if errno == 0 {
		_, _, errno = syscall.RawSyscall6(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&c.offsets[0])), uintptr(len(c.offsets)), 0, 0, 0)
	}
	if errno != 0 {
		c.fail(stepOffsets, errno)
		return false
	}
	return true
}

// exec marks every fd that the new program must not have, and becomes it.
//
//go:nosplit
//go:norace
func (c *child) exec() {
	_, _, c.errno = syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, c.inherit, ^uintptr(0)>>33, unix.CLOSE_RANGE_CLOEXEC, 0, 0, 0)
	if c.errno != 0 {
		c.fail(stepFDs, c.errno)
		return
	}
	for i := 0; i < c.npass; i++ {
		syscall.RawSyscall6(unix.SYS_FCNTL, c.pass[i], unix.F_SETFD, 0, 0, 0, 0)
	}
	c.resetSignals()
	if c.nofile.Max > 0 {
		syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&c.nofile)), 0, 0, 0)
	}
	_, _, c.errno = syscall.RawSyscall6(unix.SYS_EXECVEAT, c.exe, uintptr(unsafe.Pointer(&emptyPath[0])),
		uintptr(unsafe.Pointer(&c.argv[0])), uintptr(unsafe.Pointer(&c.envv[0])), unix.AT_EMPTY_PATH, 0)
	c.fail(stepExec, c.errno)
}

// leftAlone are the signals that Go's runtime does not handle, so that they can still be ignored as our caller had it: for SIGHUP
// and SIGINT it respects that (os/signal), some it leaves to the system, and three to C libraries.
var leftAlone = [...]uintptr{
	uintptr(unix.SIGHUP), uintptr(unix.SIGINT), uintptr(unix.SIGCONT), uintptr(unix.SIGTSTP), uintptr(unix.SIGTTIN), uintptr(unix.SIGTTOU), 32, 33, 34,
}

// resetSignals undoes what our caller blocks or ignores, which a container would inherit through init: a program that
// waits for its SIGUSR2 or SIGHUP can't know about that. Handlers of our own are gone already.
//
//go:nosplit
//go:norace
func (c *child) resetSignals() {
	const size = unsafe.Sizeof(c.noSignals) // of the kernel's sigset_t
	for i := range leftAlone {
		syscall.RawSyscall6(unix.SYS_RT_SIGACTION, leftAlone[i], uintptr(unsafe.Pointer(&c.defaultAction)), 0, size, 0, 0)
	}
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.noSignals)), 0, size, 0, 0)
}

//go:nosplit
//go:norace
func (c *child) fail(step uint32, errno syscall.Errno) { c.tell(step, uint32(errno)) }

//go:nosplit
//go:norace
func (c *child) tell(step, value uint32) {
	c.report[0], c.report[1] = step, value
	syscall.RawSyscall6(unix.SYS_WRITE, c.stage, uintptr(unsafe.Pointer(&c.report[0])), 8, 0, 0, 0)
}
