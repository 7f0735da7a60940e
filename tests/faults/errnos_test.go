package faults

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// given are the errors that calls can give, beside ENOMEM, which nearly all can.
var given = []struct {
	errno unix.Errno
	names []string
}{
	{unix.EINTR, words("openat openat2 read write flock wait4 connect accept4 ppoll poll sendmsg recvmsg clone clone3 pidfd_send_signal")},
	{unix.EAGAIN, words("clone clone3 setresuid read write sendmsg recvmsg accept4 connect prlimit64")},
	{unix.EPERM, words(`mount umount2 move_mount mount_setattr fsopen fsmount fsconfig open_tree setns unshare clone clone3 capset keyctl prctl
		setresuid setresgid setgroups mknodat mknod fchownat fchown chown fchmodat fchmod sethostname setdomainname pivot_root chroot
		prlimit64 setrlimit sched_setattr sched_setscheduler sched_setaffinity setpriority ioprio_set personality kill pidfd_send_signal
		pidfd_open pidfd_getfd seccomp bpf openat openat2 execve execveat write ioctl setsid close_range memfd_create statx faccessat2
		name_to_handle_at perf_event_open`)},
	{unix.EIO, words("read pread64 write pwrite64 getdents64 fstat newfstatat statx openat openat2 readlinkat renameat unlinkat mkdirat ftruncate fsync execve")},
	{unix.ENOSPC, words("write pwrite64 mkdirat mknodat symlinkat linkat openat openat2 renameat unshare clone3 setns bind bpf mount fsmount move_mount")},
	{unix.EMFILE, words(`openat openat2 socket socketpair pipe2 fcntl dup dup3 memfd_create open_tree fsopen fsmount accept4 pidfd_open
		eventfd2 inotify_init1 signalfd4 timerfd_create pidfd_getfd`)},
	{unix.ENOSYS, words(`openat2 fsopen fsconfig fsmount move_mount open_tree mount_setattr close_range clone3 pidfd_open pidfd_send_signal pidfd_getfd
		memfd_create keyctl statx faccessat2 execveat ioprio_set sched_setattr seccomp bpf`)},
}

func words(text string) []string { return strings.Fields(text) }

// errnosOf are the errors that a call is failed with: one in a core of the suite and at the last
// call of a name, otherwise each that the call can give.
func errnosOf(c call) []unix.Errno {
	if c.name == "wait4" && (depth() == core || c.n != 1) { // which needs no memory
		return []unix.Errno{unix.ECHILD}
	}
	errnos := []unix.Errno{unix.ENOMEM}
	if c.name == "wait4" {
		errnos = []unix.Errno{unix.ECHILD}
	}
	if depth() == core || depth() == ends && c.n != 1 {
		return errnos
	}
	for _, g := range given {
		if slices.Contains(g.names, c.name) {
			errnos = append(errnos, g.errno)
		}
	}
	return errnos
}
