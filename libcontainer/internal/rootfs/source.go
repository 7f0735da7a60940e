package rootfs

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/internal/thread"
	"oci-run/specconv"
)

// SourceFD prepares, in the parent, what init needs for the i-th mount: for a bind mount a detached
// copy of its source, with the id mapping of userNS if the mount has one, for another mount with a
// mapping the namespace itself. The source's path is resolved among the mounts of mountNS, init's
// mount namespace, because it may lie below mounts that init has made. userNS is nil for a mount
// without mapping.
func SourceFD(p *Plan, i int, mountNS, userNS *os.File) (*os.File, error) {
	if i < 0 || i >= len(p.Mounts) || p.Mounts[i].Kind != Bind && p.Mounts[i].IDMap == nil {
		return nil, fmt.Errorf("mount %d has no source to prepare", i)
	}
	m := &p.Mounts[i]
	if (m.IDMap != nil) != (userNS != nil) {
		return nil, fmt.Errorf("mount %d: a mapping needs a user namespace", i)
	}
	if m.Kind != Bind {
		return os.Open("/proc/self/fd/" + strconv.Itoa(int(userNS.Fd())))
	}
	var file *os.File
	var err error
	t := thread.New()
	t.Do(func() { file, err = cloneSource(m, mountNS, userNS) })
	t.End()
	runtime.KeepAlive(mountNS)
	runtime.KeepAlive(userNS)
	if err != nil {
		err = fmt.Errorf("mount %q on %q: bind source %q: %w", m.name(), m.Destination, m.Source, err)
		return nil, specconv.Field(m.pointer(), err)
	}
	return file, nil
}

func cloneSource(m *Mount, mountNS, userNS *os.File) (*os.File, error) {
	// setns(2): "the caller must not share filesystem-related attributes" to enter a mount
	// namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return nil, fmt.Errorf("unshare(CLONE_FS): %w", err)
	}
	if err := unix.Setns(int(mountNS.Fd()), unix.CLONE_NEWNS); err != nil {
		if errors.Is(err, unix.EPERM) && userNS == nil {
			// We have no more privileges than init, which can't reach the source. But our ids are
			// those that people know.
			return nil, fmt.Errorf("%w%s", unix.EACCES, orElse(blameHost(m.Source, unix.EACCES), " (the container's root can't reach it)"))
		}
		return nil, fmt.Errorf("enter the mount namespace of init: %w", err)
	}
	fd, err := linux.OpenTree(unix.AT_FDCWD, m.Source, cloneFlags(m))
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, blameHost(m.Source, err))
	}
	if userNS != nil {
		if err := mapIDs(fd, m, userNS, false); err != nil {
			unix.Close(fd)
			return nil, err
		}
	}
	return os.NewFile(uintptr(fd), m.Source), nil
}

// mapIDs gives a detached mount the id mapping of a user namespace, mount_setattr(2). contained
// tells that the filesystem is of a user namespace.
func mapIDs(fd int, m *Mount, userNS *os.File, contained bool) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userNS.Fd())}
	err := linux.MountSetattr(fd, recursion(m.IDMap.Recursive), &attr)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL):
		err = fmt.Errorf("%w (the filesystem may not support idmapped mounts)", err)
	case errors.Is(err, unix.EPERM) && contained:
		err = fmt.Errorf("%w (a container with a user namespace can only have bind mounts idmapped)", err)
	}
	return fmt.Errorf("map its ids: %w", err)
}

// mapIDs gives a new filesystem's mount the mapping that the configuration wishes. The user
// namespace for it is made by the parent: here, the mappings' ids may not exist.
func (mr *mounter) mapIDs(i, fd int, m *Mount) error {
	if m.IDMap == nil {
		return nil
	}
	if mr.ask == nil {
		return errors.New("map its ids: nobody can make a user namespace for it")
	}
	userNS, err := mr.ask(i)
	if err != nil {
		return fmt.Errorf("map its ids: %w", err)
	}
	defer userNS.Close()
	return mapIDs(fd, m, userNS, mr.plan.UserNS)
}
