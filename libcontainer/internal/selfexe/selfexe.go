// Package selfexe provides an fd of the running binary from which init is executed. A
// container can reach init's /proc/PID/exe; through this fd it can't write to the file
// on the host (CVE-2019-5736).
package selfexe

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// The ways to seal the binary, values of the global option --seal. docs/design/security.md
// compares them.
const (
	Mount = "mount" // a detached read-only mount of it; a copy where mounting is not permitted
	Memfd = "memfd" // a sealed copy in memory
)

// Check tells whether seal is one of the ways, or empty, which is Mount.
func Check(seal string) error {
	switch seal {
	case "", Mount, Memfd:
		return nil
	}
	return fmt.Errorf("must be %s or %s", Mount, Memfd)
}

// Open returns the fd. As root it is a detached read-only mount of the binary: nothing
// is copied, and no name and no remount leads to a writable one. Where mounting is not
// permitted, or if seal asks for it, it is a sealed copy in memory.
func Open(seal string) (*os.File, error) {
	if seal == Memfd {
		return sealed()
	}
	f, err := readOnlyMount()
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL),
		errors.Is(err, unix.ENOSPC): // user.max_mnt_namespaces: a detached mount is in one of its own
		return sealed()
	}
	return f, err
}

// readOnlyMount clones the mount of /proc/self/exe, open_tree(2), and makes the clone
// read-only before anyone can see it.
func readOnlyMount() (*os.File, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, "/proc/self/exe", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open_tree %q: %w", "/proc/self/exe", err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("mount_setattr of %q: %w", "/proc/self/exe", err)
	}
	return os.NewFile(uintptr(fd), "oci-run"), nil
}

// sealed returns a copy of the binary in a memfd that nobody can change any more,
// memfd_create(2). Not even writing to the host's page cache of the binary changes it.
//
// It can be executed and not be read. Who executes it in a user namespace that has no
// power over its owner, root of the host, belongs to the host's user namespace for the
// rules of ptrace(2) then, so that no capability in the container's lets one look at it.
func sealed() (*os.File, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer self.Close()
	fd, err := linux.Memfd("oci-run", true)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "memfd:oci-run")
	if err := copyAndSeal(f, self); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func copyAndSeal(f, self *os.File) error {
	if _, err := io.Copy(f, self); err != nil {
		return fmt.Errorf("copy %q to memory: %w", "/proc/self/exe", err)
	}
	if err := linux.Seal(int(f.Fd())); err != nil {
		return fmt.Errorf("seal the copy of %q: %w", "/proc/self/exe", err)
	}
	// Executing a file that someone has open for writing is ETXTBSY, so the fd that is
	// executed must be a read-only one.
	ro, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return err
	}
	defer ro.Close()
	if err := f.Chmod(0o111); err != nil {
		return err
	}
	return unix.Dup3(int(ro.Fd()), int(f.Fd()), unix.O_CLOEXEC)
}
