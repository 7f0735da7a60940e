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
	if err := f.kept.readonly(); err != nil || !f.plan.Readonly {
		return err
	}
	if err := linux.MountSetattr(f.root.fd, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return specconv.Field("/root/readonly", fmt.Errorf("make the root read-only: %w", err))
	}
	return nil
}

// ProtectPaths makes paths read-only and hides others; those that don't exist need no protection.
// It is the last that is done to the mounts, so the root then gets its propagation.
func (f *FS) ProtectPaths() error {
	p := protector{plan: f.plan, root: &f.root, kept: &f.kept, null: &f.null, dir: -1, file: -1}
	defer closeAll(&p.dir, &p.file)
	err := p.each(f.plan.ReadonlyPaths, "readonlyPaths", "make read-only", "make %q read-only: %w", p.makeReadonly)
	if err == nil {
		err = p.each(f.plan.MaskedPaths, "maskedPaths", "mask", "mask %q: %w", p.hide)
	}
	if err != nil {
		return err
	}
	return f.propagate()
}

// missing tells that a path doesn't exist.
func missing(err error) bool {
	return err == unix.ENOENT || err == unix.ENOTDIR //nolint:errorlint // bare errnos
}

// protector makes paths read-only and hides others. [FS.ProtectPaths] makes one, which lives as
// long, and calls each with makeReadonly and then with hide: a path in both lists is hidden. All
// hidden directories show one and the same empty filesystem: a superblock each is what made
// Kubernetes nodes with many CPUs slow (runc #5275).
type protector struct {
	plan *Plan
	root *root
	kept *kept
	null *nullNode
	dir  int // the mount that the first directory is hidden under, or -1
	file int // the one that the first file is
}

// each does something to the places that the paths of a list lead to. list is its name in the
// configuration, span what is done, failure the error of a path and its cause.
func (p *protector) each(paths []string, list, span, failure string, do func(target int) error) error {
	for i, unsafePath := range paths {
		s := trace.Begin(span)
		s.Set("path", unsafePath)
		err := p.protect(unsafePath, do)
		if s.End(err); err != nil {
			return specconv.Field(specconv.Pointer("linux", list, i), fmt.Errorf(failure, unsafePath, err))
		}
	}
	return nil
}

func (p *protector) protect(unsafePath string, do func(target int) error) error {
	target, err := p.kept.open(p.root, unsafePath)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return do(target)
}

// makeReadonly mounts what is at a place on itself, read-only.
func (p *protector) makeReadonly(target int) error {
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

// hide mounts the empty directory or the null device at a place: the mount itself at the first, and
// copies at the others, because kernels before 6.15 only copy a mount that is attached.
func (p *protector) hide(target int) error {
	at, err := placeOf(target)
	if err != nil {
		return err
	}
	cover, open := &p.file, p.null.mount
	if at.isDir() {
		cover, open = &p.dir, p.emptyDir
	}
	if *cover >= 0 {
		return attachCopy(*cover, target)
	}
	if *cover, err = open(); err != nil {
		return err
	}
	return linux.MoveMount(*cover, target)
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
func (p *protector) emptyDir() (int, error) {
	empty := Mount{
		Kind: Filesystem, Type: "tmpfs", Source: "tmpfs",
		Params: []Param{{Key: "nr_blocks", Value: "1", HasValue: true}, {Key: "nr_inodes", Value: "2", HasValue: true}},
		Attr:   Flags{Set: unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	}
	s := p.plan.filesystem(&empty)
	fd, err := s.detached()
	if err != nil {
		return -1, fmt.Errorf("make an empty directory: %w", err)
	}
	return fd, nil
}
