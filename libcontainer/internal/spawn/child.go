package spawn

// Here is the first of the two raw forks of oci-run (successor.go has the other). Between the
// clone and the execve the child is one thread of a Go program without the others, or
// borrows our memory while we are suspended (vfork(2)): it may make raw system calls and
// touch memory that was prepared before, and nothing else. So what it does is a list of calls,
// worked out beforehand (calls.go), and the functions around it are nosplit and allocate nothing.
// The runtime's own fork hooks bracket it, as in package syscall: signals are blocked from before
// the clone. The child never runs our handlers, which the kernel drops (CLONE_CLEAR_SIGHAND,
// Linux 5.5), and unblocks signals right before its execve.

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
)

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// cloneArgs is struct clone_args, clone(2).
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// child is a process to be cloned, and what it does.
type child struct {
	first cloneArgs
	vfork bool // it borrows our memory
	old   bool // made by clone(2): a seccomp filter around us refuses clone3
	ask   bool // a new user namespace wants maps
	twice bool // it clones a second time
	list  *calls.List
}

// clone forks. It returns in the parent only.
func (c *child) clone() (pid int, errno syscall.Errno) {
	beforeFork()
	r, errno := c.fork()
	afterFork()
	runtime.KeepAlive(c)
	if !c.old && c.first.cgroup == 0 && noClone3(errno) {
		c.old, c.vfork = true, false // our vfork is one of clone3
		c.first.flags &^= unix.CLONE_VM | unix.CLONE_VFORK
		return c.clone()
	}
	return int(r), errno
}

// noClone3 tells whether an errno of clone3 says that there is no such call here: the filter of an
// outer container hides it (ENOSYS), or refuses what it doesn't know (EPERM).
func noClone3(errno syscall.Errno) bool {
	return errno == syscall.ENOSYS || errno == syscall.EPERM && linux.Filtered(unix.SYS_CLONE3, errno)
}

//go:nosplit
//go:noinline
//go:norace
func (c *child) fork() (uintptr, syscall.Errno) {
	var r uintptr
	var errno syscall.Errno
	switch {
	case c.old:
		flags, stack := linux.Clone(uintptr(c.first.flags&^unix.CLONE_CLEAR_SIGHAND | c.first.exitSignal))
		r, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, flags, stack, 0, 0, 0, 0)
		if errno == 0 && r == 0 {
			afterForkInChild()
		}
	case c.vfork:
		r, errno = vfork(uintptr(unsafe.Pointer(&c.first)), unsafe.Sizeof(c.first))
	default:
		r, _, errno = syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&c.first)), unsafe.Sizeof(c.first), 0, 0, 0, 0)
	}
	if errno != 0 || r != 0 {
		return r, errno
	}
	c.list.RunInChild()
	return 0, 0
}
