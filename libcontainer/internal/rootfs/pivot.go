package rootfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// Pivot makes the container's root the root of the process, and the host's files unreachable. The
// current directory is / afterwards.
func (f *FS) Pivot() error {
	if err := f.null.prepare(f.plan); err != nil {
		return err
	}
	switch {
	case !f.plan.MountNS:
		return f.root.chroot()
	case f.plan.NoPivot:
		return f.root.move(f.plan.Root)
	default:
		return f.root.pivot(f.plan.shared())
	}
}

// pivot exchanges the roots with both at the same place, so that the container needs no directory
// for the old one. shared tells that mounts propagate to the host's.
func (r *root) pivot(shared bool) error {
	old, err := linux.Openat2(unix.AT_FDCWD, "/", unix.O_PATH|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return fmt.Errorf("open %q: %w", "/", err)
	}
	defer unix.Close(old)
	if err := r.chdir(); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w%s", err, whyUnpivotable(old, err))
	}
	// Which of the two roots, now on top of each other, "." is, no documentation promises.
	if err := unix.Fchdir(old); err != nil {
		return fmt.Errorf("chdir to the old root: %w", err)
	}
	// The unmount must not propagate to the host. Without shared mounts (isolate) it can't.
	if shared {
		if err := unix.Mount("", ".", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("change the propagation of the old root: %w", err)
		}
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the old root: %w", linux.NameCall("umount2", err))
	}
	return chdirRoot()
}

// whyUnpivotable explains why the runtime's own root can't be exchanged: pivot_root(2).
func whyUnpivotable(old int, err error) string {
	if !errors.Is(err, unix.EINVAL) {
		return ""
	}
	for _, memory := range [...]int64{unix.RAMFS_MAGIC, unix.TMPFS_MAGIC} {
		if is, err := isFS(old, memory); err == nil && is {
			return " (a root in an initramfs can't be pivoted, --no-pivot is for that)"
		}
	}
	return ""
}

func chdirRoot() error {
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("chdir %q: %w", "/", err)
	}
	return nil
}

// chroot is all that can be done without a mount namespace.
func (r *root) chroot() error {
	if err := r.chdir(); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	return chdirRoot()
}

// propagate gives the root the propagation that would have been in the way so far: pivot_root(2)
// takes no shared root, and what is unbindable can't be made read-only. What makes it private or a
// slave was done at the start.
func (f *FS) propagate() error {
	flag := f.plan.Propagation
	if flag&(unix.MS_SHARED|unix.MS_UNBINDABLE) == 0 || !f.plan.MountNS {
		return nil
	}
	attr := unix.MountAttr{Propagation: uint64(flag &^ unix.MS_REC)}
	if err := linux.MountSetattr(f.root.fd, recursion(flag&unix.MS_REC != 0), &attr); err != nil {
		return fmt.Errorf("change the propagation of the root: %w", err)
	}
	return nil
}
