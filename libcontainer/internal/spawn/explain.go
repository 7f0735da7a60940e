package spawn

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/namespaces"
)

// newNamespaces are the flags that make namespaces.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET |
	unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME | unix.CLONE_NEWUSER

// CloneError is the refusal of a clone that makes namespaces.
type CloneError struct {
	// New are the CLONE_NEW* flags that were refused.
	New uintptr
	// Inside says that they were to belong to a user namespace that was joined before.
	Inside bool
	// Errno is the kernel's answer, Err what is said of it.
	Errno unix.Errno
	Err   error
}

// Error gives what is said of the refusal.
func (e *CloneError) Error() string { return e.Err.Error() }

// Unwrap gives the explained refusal.
func (e *CloneError) Unwrap() error { return e.Err }

// Try makes namespaces that end at once. It returns the kernel's errno if it refuses them.
func Try(flags uintptr) error {
	err := stand(nil, uint64(flags), func(int) error { return nil })
	if refused, ok := errors.AsType[*CloneError](err); ok {
		return refused.Errno
	}
	return err
}

// refused is the error of a clone3 with these flags.
func refused(errno syscall.Errno, flags uint64) error {
	return &CloneError{
		New: uintptr(flags) & newNamespaces, Errno: errno,
		Err: fmt.Errorf("clone3 with flags %#x: %w", flags, ExplainClone(errno, uintptr(flags))),
	}
}

// ExplainClone adds what the kernel means by an errno of clone3 or clone with these flags.
func ExplainClone(errno syscall.Errno, flags uintptr) error {
	flags &= newNamespaces
	switch {
	case errno == unix.ENOSPC:
		return fmt.Errorf("%w (a limit below /proc/sys/user/max_*_namespaces is reached, or namespaces are nested too deep)", errno)
	case errno == unix.EAGAIN:
		return fmt.Errorf("%w (the limit of processes is reached: pids.max, RLIMIT_NPROC or kernel.pid_max)", errno)
	case errno == unix.ENOSYS:
		return linux.NameCall("clone3", errno)
	case errno != unix.EPERM:
		return errno
	case flags&unix.CLONE_NEWUSER != 0:
		return fmt.Errorf("%w (%s)", errno, namespaces.WhyNoUser())
	case flags != 0 && !Privileged():
		return fmt.Errorf("%w (creating namespaces requires CAP_SYS_ADMIN, or a user namespace: "+
			"add one to /linux/namespaces, with uidMappings and gidMappings, as oci-run spec --rootless does)", errno)
	}
	return fmt.Errorf("%w (a seccomp filter or a security module refuses it)", errno)
}

// Privileged tells whether the calling thread has CAP_SYS_ADMIN.
func Privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
