package rootfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/internal/thread"
	"oci-run/specconv"
)

// Rebuild prepares the root for a container that is restored from a dump, and calls start in a
// mount namespace of its own, in which the root is mounted at the directory at: CRIU wants it to be
// a mount point. The mount points of the container's mounts are made, as at its creation.
//
// The namespace ends with the last process that start leaves in it.
func Rebuild(p *Plan, at string, start func() error) error {
	var err error
	t := thread.New()
	t.Do(func() { err = rebuild(p, at, start) })
	t.End()
	return err
}

func rebuild(p *Plan, at string, start func() error) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare(CLONE_NEWNS): %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("change the propagation of %q: %w", "/", err)
	}
	if err := mountAt(p, at); err != nil {
		return err
	}
	return start()
}

// mountAt mounts the root at a directory and makes the mount points in it.
func mountAt(p *Plan, at string) error {
	f := &FS{plan: p, root: -1, dev: -1, ownNull: -1, null: -1, umask: unix.Umask(0)}
	defer f.Close()
	var err error
	f.root, err = linux.OpenTree(unix.AT_FDCWD, p.Root, unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)
	if err == nil {
		err = linux.MountSetattr(f.root, 0, &unix.MountAttr{Propagation: unix.MS_PRIVATE})
	}
	if err == nil {
		err = attachAt(f.root, at)
	}
	if err != nil {
		return fmt.Errorf("mount root %q: %w", p.Root, err)
	}
	return f.mountPoints()
}

func attachAt(mount int, dir string) error {
	target, err := linux.OpenTree(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return linux.MoveMount(mount, target)
}

// mountPoints makes what is missing. Bind mounts are there while it does, because other mounts may
// be in them.
func (f *FS) mountPoints() (err error) {
	var attached []int
	defer func() {
		for i := len(attached) - 1; i >= 0; i-- {
			if undo := detach(attached[i]); undo != nil && err == nil {
				err = undo
			}
			unix.Close(attached[i])
		}
	}()
	for i := range f.plan.Mounts {
		m := &f.plan.Mounts[i]
		if m.Remount || m.Kind == Cgroup || m.Kind == Cgroup2 || f.plan.covered(i) {
			continue
		}
		if err := f.mountPoint(m, &attached); err != nil {
			return specconv.Field(m.pointer(), fmt.Errorf("make mount point %q: %w", m.Destination, err))
		}
	}
	return nil
}

// covered tells that a mount is in another which is not a bind mount: that one brings the mount
// point along when it is restored.
func (p *Plan) covered(i int) bool {
	covering := -1
	for j := range p.Mounts[:i] {
		if strings.HasPrefix(p.Mounts[i].Destination, p.Mounts[j].Destination+"/") {
			covering = j
		}
	}
	return covering >= 0 && p.Mounts[covering].Kind != Bind
}

func (f *FS) mountPoint(m *Mount, attached *[]int) error {
	if m.Kind != Bind {
		fd, _, err := f.target(m.Destination, false)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	source, err := linux.OpenTree(unix.AT_FDCWD, m.Source, cloneFlags(m))
	if err != nil {
		return fmt.Errorf("bind source %q: %w", m.Source, err)
	}
	from, err := placeOf(source)
	if err == nil {
		err = f.attachFor(m, source, !from.isDir())
	}
	if err != nil {
		unix.Close(source)
		return err
	}
	*attached = append(*attached, source)
	return nil
}

func (f *FS) attachFor(m *Mount, source int, file bool) error {
	target, _, err := f.target(m.Destination, file)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return linux.MoveMount(source, target)
}

// detach unmounts an attached mount.
func detach(mount int) error {
	name := "/proc/self/fd/" + strconv.Itoa(mount)
	return os.NewSyscallError("umount", unix.Unmount(name, unix.MNT_DETACH))
}
