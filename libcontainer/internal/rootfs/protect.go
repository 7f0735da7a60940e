package rootfs

import (
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/internal/trace"
	"oci-run/specconv"
)

// Readonly makes read-only what had to be writable so far: tmpfs mounts with the option ro, /dev,
// and the root if the configuration says so. It only adds a flag, so that flags that are locked in
// a user namespace stay.
func (f *FS) Readonly() error {
	readonly := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	for _, l := range f.late {
		if l.mount.Attr.Set&unix.MS_RDONLY == 0 {
			continue
		}
		if err := linux.MountSetattr(l.fd, 0, &readonly); err != nil {
			return specconv.Field(l.mount.pointer(), fmt.Errorf("make %q read-only: %w", l.mount.Destination, err))
		}
	}
	if !f.plan.Readonly {
		return nil
	}
	if err := linux.MountSetattr(f.root.fd, 0, &readonly); err != nil {
		return specconv.Field("/root/readonly", fmt.Errorf("make the root read-only: %w", err))
	}
	return nil
}

// ProtectPaths makes paths read-only and hides others; those that don't exist need no protection.
// It is the last that is done to the mounts, so the root then gets its propagation.
func (f *FS) ProtectPaths() error {
	for i, unsafePath := range f.plan.ReadonlyPaths {
		span := trace.Begin("make read-only")
		span.Set("path", unsafePath)
		err := f.readonlyPath(unsafePath)
		if span.End(err); err != nil {
			err = fmt.Errorf("make %q read-only: %w", unsafePath, err)
			return specconv.Field(specconv.Pointer("linux", "readonlyPaths", i), err)
		}
	}
	if err := f.maskPaths(); err != nil {
		return err
	}
	return f.propagate()
}

func (f *FS) maskPaths() error {
	m := mask{fs: f, dir: -1, null: -1}
	defer m.close()
	for i, unsafePath := range f.plan.MaskedPaths {
		span := trace.Begin("mask")
		span.Set("path", unsafePath)
		err := m.hide(unsafePath)
		if span.End(err); err != nil {
			err = fmt.Errorf("mask %q: %w", unsafePath, err)
			return specconv.Field(specconv.Pointer("linux", "maskedPaths", i), err)
		}
	}
	return nil
}

// missing tells that a path doesn't exist.
func missing(err error) bool {
	return err == unix.ENOENT || err == unix.ENOTDIR //nolint:errorlint // bare errnos
}

func (f *FS) readonlyPath(unsafePath string) error {
	target, err := f.protected(unsafePath)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(target)
	fd, err := linux.OpenTree(target, "", unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE|unix.AT_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("clone: %w", err)
	}
	defer unix.Close(fd)
	if err := linux.MountSetattr(fd, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return err
	}
	return linux.MoveMount(fd, target)
}

// mask holds what paths are hidden under. All hidden directories show one and the same empty
// filesystem: a superblock each is what made Kubernetes nodes with many CPUs slow (runc #5275).
type mask struct {
	fs   *FS
	dir  int // the mount that the first directory is hidden under, or -1
	null int // the one that the first file is
}

func (m *mask) close() {
	for _, fd := range [...]int{m.dir, m.null} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

func (m *mask) hide(unsafePath string) error {
	target, err := m.fs.protected(unsafePath)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(target)
	at, err := placeOf(target)
	if err != nil {
		return err
	}
	if at.isDir() {
		return m.hideDir(target)
	}
	return m.hideFile(target)
}

// hideDir attaches the empty directory at the first target, and copies of that mount at the others:
// kernels before 6.15 only copy a mount that is attached.
func (m *mask) hideDir(target int) error {
	if m.dir >= 0 {
		return attachCopy(m.dir, target)
	}
	var err error
	if m.dir, err = m.fs.emptyDir(); err != nil {
		return fmt.Errorf("make an empty directory: %w", err)
	}
	return linux.MoveMount(m.dir, target)
}

// hideFile does the same with the null device.
func (m *mask) hideFile(target int) error {
	if m.null >= 0 {
		return attachCopy(m.null, target)
	}
	var err error
	if m.null, err = m.fs.nullMount(); err != nil {
		return err
	}
	return linux.MoveMount(m.null, target)
}

func attachCopy(mount, target int) error {
	fd, err := linux.OpenTree(mount, "", unix.OPEN_TREE_CLONE|unix.AT_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("clone: %w", err)
	}
	err = linux.MoveMount(fd, target)
	unix.Close(fd)
	return err
}

// emptyDir makes a detached, empty and read-only tmpfs with room for nothing.
func (f *FS) emptyDir() (int, error) {
	empty := Mount{
		Kind: Filesystem, Type: "tmpfs", Source: "tmpfs",
		Params: []Param{{Key: "nr_blocks", Value: "1", HasValue: true}, {Key: "nr_inodes", Value: "2", HasValue: true}},
		Attr:   Flags{Set: unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	}
	s := f.plan.filesystem(&empty)
	return s.detached()
}

// prepareNull gets the null device that files are hidden under, while the host's files can be
// reached: never one by a path in the container, which it could have replaced by anything
// (CVE-2025-31133). It is the node that [FS.Devices] made or bound, or else the host's, whose inode
// must not be changed through it.
func (f *FS) prepareNull() error {
	if len(f.plan.MaskedPaths) == 0 || f.ownNull >= 0 {
		return nil
	}
	fd, err := linux.OpenTree(unix.AT_FDCWD, "/dev/null", unix.OPEN_TREE_CLONE)
	if err != nil {
		return fmt.Errorf("open %q of the host to mask files with: %w", "/dev/null", err)
	}
	f.null = fd
	if at, err := placeOf(fd); err != nil || at.format() != unix.S_IFCHR || at.rdev != unix.Mkdev(1, 3) {
		return fmt.Errorf("open %q of the host to mask files with: it is not the null device", "/dev/null")
	}
	return protectNull(fd)
}

// nullMount gives a detached mount of the null device, which is the caller's then. That of the
// container's own node is only made here: mounts are listed in the order in which they were made.
func (f *FS) nullMount() (int, error) {
	if f.ownNull < 0 {
		fd := f.null
		f.null = -1
		return fd, nil
	}
	fd, err := linux.OpenTree(f.ownNull, "", unix.OPEN_TREE_CLONE|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, fmt.Errorf("clone the null device: %w", err)
	}
	if err := protectNull(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func protectNull(fd int) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC, Propagation: unix.MS_PRIVATE}
	if err := linux.MountSetattr(fd, 0, &attr); err != nil {
		return fmt.Errorf("change the attributes of the null device: %w", err)
	}
	return nil
}
