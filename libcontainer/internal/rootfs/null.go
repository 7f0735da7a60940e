package rootfs

import (
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// nullNode is what files are masked with: the container's own null device, or the host's. Never is
// it what a path in the container leads to, which it could have replaced by anything
// (CVE-2025-31133). [deviceMaker] calls keep with the node that it has made or bound, [FS.Pivot]
// calls prepare while the host's files can be reached, [protector] calls mount for the first file
// that it masks. It lives until [FS.Close].
type nullNode struct {
	own  int // the node in the container's /dev, or -1
	host int // a detached mount of the host's, or -1
}

// keep keeps the container's node: a name in a directory, or what dir itself is open at.
func (n *nullNode) keep(p *Plan, dir int, name string) error {
	if n.own >= 0 || len(p.MaskedPaths) == 0 || p.unbindableDev() {
		return nil
	}
	fd, err := linux.OpenTree(dir, name, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return fmt.Errorf("open %q: %w", nullDevice, err)
	}
	n.own = fd
	return nil
}

// unbindableDev tells that no copy can be made of what is in /dev.
func (p *Plan) unbindableDev() bool {
	return p.has(func(m *Mount) bool {
		last := len(m.Propagation) - 1
		return m.Destination == "/dev" && last >= 0 && m.Propagation[last]&unix.MS_UNBINDABLE != 0
	})
}

// prepare gets the host's node, if there is something to mask and the container has none. Its inode
// must not be changed through it.
func (n *nullNode) prepare(p *Plan) error {
	if len(p.MaskedPaths) == 0 || n.own >= 0 {
		return nil
	}
	fd, err := linux.OpenTree(unix.AT_FDCWD, nullDevice, unix.OPEN_TREE_CLONE)
	if err != nil {
		return fmt.Errorf("open %q of the host to mask files with: %w", nullDevice, err)
	}
	n.host = fd
	if !isNull(fd) {
		return fmt.Errorf("open %q of the host to mask files with: it is not the null device", nullDevice)
	}
	return protectNull(fd)
}

// mount gives a detached mount of the null device, which is the caller's then. That of the
// container's own node is only made here: mounts are listed in the order in which they were made.
func (n *nullNode) mount() (int, error) {
	if n.own < 0 {
		fd := n.host
		n.host = -1
		return fd, nil
	}
	fd, err := linux.OpenTree(n.own, "", unix.OPEN_TREE_CLONE|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, fmt.Errorf("clone the null device: %w", err)
	}
	if err := protectNull(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (n *nullNode) close() { closeAll(&n.own, &n.host) }

func protectNull(fd int) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC, Propagation: unix.MS_PRIVATE}
	if err := linux.MountSetattr(fd, 0, &attr); err != nil {
		return fmt.Errorf("change the attributes of the null device: %w", err)
	}
	return nil
}
