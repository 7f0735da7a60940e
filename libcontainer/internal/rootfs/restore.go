package rootfs

import (
	"fmt"
	"os"
	"slices"
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
	defer unix.Umask(unix.Umask(0))
	fd, err := linux.OpenTree(unix.AT_FDCWD, p.Root, unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)
	if err == nil {
		defer unix.Close(fd)
		err = linux.MountSetattr(fd, 0, &unix.MountAttr{Propagation: unix.MS_PRIVATE})
	}
	if err == nil {
		err = attachAt(fd, at)
	}
	if err != nil {
		return fmt.Errorf("mount root %q: %w", p.Root, err)
	}
	points := mountPoints{root: root{fd: fd}}
	return points.make(p)
}

func attachAt(mount int, dir string) error {
	target, err := linux.OpenTree(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return linux.MoveMount(mount, target)
}

// mountPoints makes the places that a restored container's mounts go to. It lives as long as
// [mountAt], which calls make and nothing else.
type mountPoints struct {
	root     root
	attached []int // bind mounts that are there meanwhile
}

// make makes what is missing. Bind mounts are there while it does, because other mounts may be in
// them.
func (p *mountPoints) make(plan *Plan) (err error) {
	defer func() {
		if undo := p.detach(); err == nil {
			err = undo
		}
	}()
	for i := range plan.Mounts {
		m := &plan.Mounts[i]
		if m.Remount || m.isCgroup() || plan.covered(i) {
			continue
		}
		if err := p.point(m); err != nil {
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

// point makes one, and attaches a bind mount to it.
func (p *mountPoints) point(m *Mount) error {
	if m.Kind != Bind {
		fd, _, err := p.root.target(m.Destination, false)
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
		err = p.attach(m, source, !from.isDir())
	}
	if err != nil {
		unix.Close(source)
		return err
	}
	p.attached = append(p.attached, source)
	return nil
}

func (p *mountPoints) attach(m *Mount, source int, file bool) error {
	target, _, err := p.root.target(m.Destination, file)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return linux.MoveMount(source, target)
}

// detach unmounts what is attached, and gives the first error.
func (p *mountPoints) detach() (err error) {
	for _, fd := range slices.Backward(p.attached) {
		name := "/proc/self/fd/" + strconv.Itoa(fd)
		if undo := unix.Unmount(name, unix.MNT_DETACH); undo != nil && err == nil {
			err = os.NewSyscallError("umount", undo)
		}
		unix.Close(fd)
	}
	return err
}
