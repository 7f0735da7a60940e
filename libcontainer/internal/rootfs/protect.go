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
	defer p.close()
	if err := p.makeAllReadonly(); err != nil {
		return err
	}
	if err := p.hideAll(); err != nil {
		return err
	}
	return f.propagate()
}

// missing tells that a path doesn't exist.
func missing(err error) bool {
	return err == unix.ENOENT || err == unix.ENOTDIR //nolint:errorlint // bare errnos
}

// protector makes paths read-only and hides others. [FS.ProtectPaths] makes one, which lives as
// long, and calls makeAllReadonly and then hideAll: a path in both lists is hidden. All hidden
// directories show one and the same empty filesystem: a superblock each is what
// made Kubernetes nodes with many CPUs slow (runc #5275).
type protector struct {
	plan *Plan
	root *root
	kept *kept
	null *nullNode
	dir  int // the mount that the first directory is hidden under, or -1
	file int // the one that the first file is
}

func (p *protector) makeAllReadonly() error {
	for i, unsafePath := range p.plan.ReadonlyPaths {
		span := trace.Begin("make read-only")
		span.Set("path", unsafePath)
		err := p.makeReadonly(unsafePath)
		if span.End(err); err != nil {
			err = fmt.Errorf("make %q read-only: %w", unsafePath, err)
			return specconv.Field(specconv.Pointer("linux", "readonlyPaths", i), err)
		}
	}
	return nil
}

func (p *protector) hideAll() error {
	for i, unsafePath := range p.plan.MaskedPaths {
		span := trace.Begin("mask")
		span.Set("path", unsafePath)
		err := p.hide(unsafePath)
		if span.End(err); err != nil {
			err = fmt.Errorf("mask %q: %w", unsafePath, err)
			return specconv.Field(specconv.Pointer("linux", "maskedPaths", i), err)
		}
	}
	return nil
}

func (p *protector) close() {
	for _, fd := range [...]int{p.dir, p.file} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// makeReadonly mounts what is at a path on itself, read-only.
func (p *protector) makeReadonly(unsafePath string) error {
	target, err := p.kept.open(p.root, unsafePath)
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

// hide mounts an empty directory or the null device on what is at a path.
func (p *protector) hide(unsafePath string) error {
	target, err := p.kept.open(p.root, unsafePath)
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
		return p.hideDir(target)
	}
	return p.hideFile(target)
}

// hideDir attaches the empty directory at the first target, and copies of that mount at the others:
// kernels before 6.15 only copy a mount that is attached.
func (p *protector) hideDir(target int) error {
	if p.dir >= 0 {
		return attachCopy(p.dir, target)
	}
	var err error
	if p.dir, err = p.emptyDir(); err != nil {
		return fmt.Errorf("make an empty directory: %w", err)
	}
	return linux.MoveMount(p.dir, target)
}

// hideFile does the same with the null device.
func (p *protector) hideFile(target int) error {
	if p.file >= 0 {
		return attachCopy(p.file, target)
	}
	var err error
	if p.file, err = p.null.mount(); err != nil {
		return err
	}
	return linux.MoveMount(p.file, target)
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
	return s.detached()
}
