package spawn

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/linux"
)

// newNamespaces are the flags that make namespaces.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET |
	unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME | unix.CLONE_NEWUSER

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
		return fmt.Errorf("%w (%s)", errno, whyNoUserNamespace())
	case flags != 0 && !privileged():
		return fmt.Errorf("%w (creating namespaces requires CAP_SYS_ADMIN, or a user namespace: "+
			"add one to /linux/namespaces, with uidMappings and gidMappings, as oci-run spec --rootless does)", errno)
	}
	return fmt.Errorf("%w (a seccomp filter or a security module refuses it)", errno)
}

// userNamespaceSwitches are settings of a machine that keep its users from making user namespaces;
// each system has one at most.
var userNamespaceSwitches = [...]struct{ name, value string }{
	{"kernel/unprivileged_userns_clone", "0"},
	{"kernel/apparmor_restrict_unprivileged_userns", "1"},
}

// whyNoUserNamespace says what refuses a user namespace, which takes no privilege by itself.
func whyNoUserNamespace() string {
	for _, s := range userNamespaceSwitches {
		text, err := files.Read("/proc/sys/" + s.name)
		if err == nil && strings.TrimSpace(string(text)) == s.value && !privileged() {
			return "sysctl " + strings.ReplaceAll(s.name, "/", ".") + " is " + s.value
		}
	}
	return "user namespaces are refused under chroot(2), by a security module or by a seccomp filter around the runtime"
}

// privileged tells whether the calling thread has CAP_SYS_ADMIN.
func privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
