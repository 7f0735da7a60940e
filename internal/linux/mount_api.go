package linux

import "golang.org/x/sys/unix"

// The system calls of the mount API that works on file descriptors (Linux 5.2; mount_setattr 5.12).
// A mount made by Fsmount or OpenTree with OPEN_TREE_CLONE is detached: nothing can reach it but
// the fd, until MoveMount attaches it. All returned fds are close-on-exec. Errors are bare errnos
// but for ENOSYS and EPERM, see [NameCall].

// Fsopen starts the configuration of a new superblock of a filesystem type, see fsopen(2).
func Fsopen(fstype string) (int, error) {
	return retry("fsopen", func() (int, error) { return unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC) })
}

// Fspick starts the reconfiguration of the superblock below an fd, see fspick(2).
func Fspick(fd int) (int, error) {
	return retry("fspick", func() (int, error) { return unix.Fspick(fd, "", unix.FSPICK_CLOEXEC|unix.FSPICK_EMPTY_PATH) })
}

// FsconfigString sets the parameter key to value, which must be shorter than 256 bytes.
func FsconfigString(fd int, key, value string) error {
	return retryErr("fsconfig", func() error { return unix.FsconfigSetString(fd, key, value) })
}

// FsconfigFlag sets the parameter key, which has no value.
func FsconfigFlag(fd int, key string) error {
	return retryErr("fsconfig", func() error { return unix.FsconfigSetFlag(fd, key) })
}

// FsconfigCreate makes the superblock, or takes one that exists if the filesystem shares them.
func FsconfigCreate(fd int) error {
	return retryErr("fsconfig", func() error { return unix.FsconfigCreate(fd) })
}

// FsconfigReconfigure changes the superblock that Fspick picked.
func FsconfigReconfigure(fd int) error {
	return retryErr("fsconfig", func() error { return unix.FsconfigReconfigure(fd) })
}

// Fsmount makes a detached mount of a superblock, with MOUNT_ATTR_* flags.
func Fsmount(fd, attr int) (int, error) {
	return retry("fsmount", func() (int, error) { return unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, attr) })
}

// OpenTree opens a place in the mount tree, or with OPEN_TREE_CLONE a detached copy of the mount
// there, see open_tree(2).
func OpenTree(dirfd int, path string, flags uint) (int, error) {
	return retry("open_tree", func() (int, error) { return unix.OpenTree(dirfd, path, flags|unix.OPEN_TREE_CLOEXEC) })
}

// MountSetattr changes the attributes of the mount that fd is the root of, or with AT_RECURSIVE of
// the tree of mounts.
func MountSetattr(fd int, flags uint, attr *unix.MountAttr) error {
	return retryErr("mount_setattr", func() error { return unix.MountSetattr(fd, "", flags|unix.AT_EMPTY_PATH, attr) })
}

// MoveMount attaches the mount that fd is the root of at the place that target is open at, whatever
// is mounted there.
func MoveMount(fd, target int) error {
	return retryErr("move_mount", func() error {
		return unix.MoveMount(fd, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	})
}

func retry(name string, call func() (int, error)) (int, error) {
	for {
		fd, err := call()
		if err != unix.EINTR { //nolint:errorlint // a bare errno
			return fd, NameCall(name, err)
		}
	}
}

func retryErr(name string, call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // a bare errno
			return NameCall(name, err)
		}
	}
}
