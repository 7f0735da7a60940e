package rootfs

import (
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/specconv"
)

// Mounts makes the configuration's mounts in their order. Errors are *specconv.FieldError.
func (f *FS) Mounts() error {
	mr := f.mounter()
	for i := range f.plan.Mounts {
		m := &f.plan.Mounts[i]
		span := m.beginSpan()
		err := mr.mount(i, m)
		if span.End(err); err != nil {
			return f.plan.failure(m, err)
		}
	}
	return nil
}

// mounter makes the mounts of the configuration. [FS.Mounts] makes one and calls mount for each, in
// their order: a mount may lie in those before it. It lives as long, and what later steps need of
// its mounts is in kept. Each kind of mount has a file: bind.go, mount_filesystem.go, cgroup.go,
// remount.go. They go the same way: open the place in the root and look what it is (checkTarget),
// make the mount where nobody sees it, give it all that the options say, attach it.
type mounter struct {
	plan     *Plan
	root     *root
	ask      Ask
	prepared *prepared
	kept     *kept
}

func (f *FS) mounter() mounter { return mounter{f.plan, &f.root, f.ask, &f.prepared, &f.kept} }

// failure is the error for a mount.
func (p *Plan) failure(m *Mount, err error) error {
	err = fmt.Errorf("mount %q on %q: %w%s", m.name(), m.Destination, err, p.hint(m, err))
	return specconv.Field(m.pointer(), err)
}

// name is what a mount is called in errors.
func (m *Mount) name() string {
	if m.Source == "" {
		return m.Type
	}
	return m.Source
}

func (mr *mounter) mount(i int, m *Mount) error {
	switch {
	case m.Remount:
		return mr.remount(m)
	case m.Kind == Bind:
		return mr.bind(i, m)
	default:
		return mr.mountNew(i, m)
	}
}

// show gives a detached mount what is still missing, and attaches it.
func show(mount, target int, m *Mount) error {
	if err := decorate(mount, m); err != nil {
		return err
	}
	return attach(mount, target)
}

// attach puts a detached mount at an open place.
func attach(mount, target int) error {
	err := linux.MoveMount(mount, target)
	if err != unix.EINVAL { //nolint:errorlint // a bare errno
		return err
	}
	// mount(2) says ENOTDIR for a directory over a file or the reverse, which callers know and
	// move_mount(2) doesn't say.
	from, errFrom := placeOf(mount)
	to, errTo := placeOf(target)
	if errFrom == nil && errTo == nil && from.isDir() != to.isDir() {
		return unix.ENOTDIR
	}
	return err
}

// isFS tells whether an fd is on a filesystem with this magic number.
func isFS(fd int, magic int64) (bool, error) {
	var st unix.Statfs_t
	for {
		err := unix.Fstatfs(fd, &st)
		switch err {
		case nil:
			return int64(st.Type) == magic, nil // differs by architecture
		case unix.EINTR:
		default:
			return false, fmt.Errorf("fstatfs: %w", err)
		}
	}
}

// decorate gives a detached mount the wished propagation and recursive attributes.
func decorate(fd int, m *Mount) error {
	for _, flag := range m.Propagation {
		attr := unix.MountAttr{Propagation: uint64(flag &^ unix.MS_REC)}
		if err := linux.MountSetattr(fd, recursion(flag&unix.MS_REC != 0), &attr); err != nil {
			return fmt.Errorf("change the propagation: %w", err)
		}
	}
	if m.Rec.empty() {
		return nil
	}
	attr := unix.MountAttr{Attr_set: attrBits(m.Rec.Set), Attr_clr: attrBits(m.Rec.Clear &^ atimeModes)}
	if (m.Rec.Set|m.Rec.Clear)&atimeModes != 0 {
		attr.Attr_clr |= unix.MOUNT_ATTR__ATIME // mount_setattr(2): the field is cleared to be set
	}
	if err := linux.MountSetattr(fd, unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("change the attributes of the tree: %w", err)
	}
	return nil
}

func recursion(on bool) uint {
	if on {
		return unix.AT_RECURSIVE
	}
	return 0
}
