package rootfs

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/linux"
)

// SourceFD prepares, in the parent, the source of the i-th mount for init: a detached copy, with the id mapping of userNS
// if the mount has one. The source's path is resolved among the mounts of mountNS, init's mount namespace, because it
// may lie below mounts that init has made. userNS is nil for a mount without mapping.
func SourceFD(p *Plan, i int, mountNS, userNS *os.File) (*os.File, error) {
	if i < 0 || i >= len(p.Mounts) || p.Mounts[i].Kind != Bind {
		return nil, fmt.Errorf("mount %d has no source to prepare", i)
	}
	m := &p.Mounts[i]
	if (m.IDMap != nil) != (userNS != nil) {
		return nil, fmt.Errorf("mount %d: a mapping needs a user namespace", i)
	}
	type result struct {
		file *os.File
		err  error
	}
	done := make(chan result)
	go func() {
		// The thread changes its mount namespace, and dies with this goroutine, which never unlocks it.
		runtime.LockOSThread()
		file, err := cloneSource(m, mountNS, userNS)
		done <- result{file, err}
	}()
	r := <-done
	runtime.KeepAlive(mountNS)
	runtime.KeepAlive(userNS)
	return r.file, r.err
}

func cloneSource(m *Mount, mountNS, userNS *os.File) (*os.File, error) {
	// setns(2): "the caller must not share filesystem-related attributes" to enter a mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return nil, fmt.Errorf("unshare(CLONE_FS): %w", err)
	}
	if err := unix.Setns(int(mountNS.Fd()), unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("enter the mount namespace of init: %w", err)
	}
	fd, err := linux.OpenTree(unix.AT_FDCWD, m.Source, cloneFlags(m))
	if err != nil {
		return nil, err
	}
	if userNS != nil {
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userNS.Fd())}
		if err := linux.MountSetattr(fd, recursion(m.IDMap.Recursive), &attr); err != nil {
			unix.Close(fd)
			if errors.Is(err, unix.EINVAL) {
				err = fmt.Errorf("%w (the filesystem may not support idmapped mounts)", err)
			}
			return nil, fmt.Errorf("map its ids: %w", err)
		}
	}
	return os.NewFile(uintptr(fd), m.Source), nil
}
