package rootfs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/specconv"
)

// links are the symbolic links that "the runtime MUST create" in /dev if /proc is there
// (config-linux.md).
var links = [...]struct{ name, target string }{
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
}

// Devices fills /dev, unless the configuration binds one there.
func (f *FS) Devices() error {
	if !f.plan.SetupDev {
		return nil
	}
	dir, _, err := f.root.target("/dev", false)
	if err != nil {
		return fmt.Errorf("open %q: %w", "/dev", err)
	}
	defer unix.Close(dir)
	at, err := placeOf(dir)
	if err != nil {
		return err
	}
	if !at.isDir() {
		return fmt.Errorf("open %q: %w", "/dev", notDirectory(at, "/dev"))
	}
	d := deviceMaker{plan: f.plan, root: &f.root, null: &f.null, dev: dir, own: f.kept.isDev(at)}
	return d.fill()
}

// deviceMaker fills /dev. [FS.Devices] makes one and calls fill; it lives as long.
type deviceMaker struct {
	plan *Plan
	root *root
	null *nullNode // gets the null device that is made
	dev  int       // the container's /dev
	own  bool      // nobody but init has ever seen that
}

// fill makes the plan's devices and then the links.
func (dm *deviceMaker) fill() error {
	for i := range dm.plan.Devices {
		d := &dm.plan.Devices[i]
		if err := dm.device(d); err != nil {
			return deviceError(d, err)
		}
	}
	return devLinks(dm.dev)
}

func deviceError(d *Device, err error) error {
	err = fmt.Errorf("device %q: %w", d.Path, err)
	if d.Pointer == "" {
		return err
	}
	return specconv.Field(d.Pointer, err)
}

// devLinks makes the links that aren't there. /dev/ptmx must be that of the container's own devpts,
// whatever the image has.
func devLinks(dev int) error {
	for _, l := range links {
		if err := symlink(l.target, dev, l.name); err != nil {
			return err
		}
	}
	if unix.Access("/proc/kcore", unix.F_OK) == nil {
		if err := symlink("/proc/kcore", dev, "core"); err != nil {
			return err
		}
	}
	if err := unix.Unlinkat(dev, "ptmx", 0); err != nil && err != unix.ENOENT {
		return fmt.Errorf("unlink %q: %w", ptmxPath, err)
	}
	return symlink("pts/ptmx", dev, "ptmx")
}

func symlink(target string, dir int, name string) error {
	if err := unix.Symlinkat(target, dir, name); err != nil && err != unix.EEXIST {
		return fmt.Errorf("symlink %q to %q: %w", "/dev/"+name, target, err)
	}
	return nil
}

// device makes a node, or where that isn't allowed binds the host's.
func (dm *deviceMaker) device(d *Device) error {
	dir, own := dm.dev, dm.own
	name, inside := strings.CutPrefix(d.Path, "/dev/")
	if !inside || strings.Contains(name, "/") {
		var err error
		if dir, name, err = dm.root.createParent(d.Path); err != nil {
			return err
		}
		defer unix.Close(dir)
		own = false
	}
	if dm.plan.UserNS && d.Mode&unix.S_IFMT != unix.S_IFIFO {
		return dm.bindDevice(dir, name, d)
	}
	err := unix.Mknodat(dir, name, d.Mode, int(unix.Mkdev(d.Major, d.Minor))) // a dev_t
	switch err {
	case nil:
		if own {
			return dm.ownNode(dir, name, d)
		}
		return d.verify(dir, name, true)
	case unix.EPERM:
		return dm.bindRefused(dir, name, d)
	case unix.EEXIST:
		err := d.verify(dir, name, false)
		if errors.Is(err, errPlainFile) && d.Pointer == "" {
			return dm.bindDevice(dir, name, d)
		}
		return err
	}
	return fmt.Errorf("mknod: %w", err)
}

// ownNode finishes a node in a directory where nobody could exchange it. A null device is what
// files can be masked with.
func (dm *deviceMaker) ownNode(dir int, name string, d *Device) error {
	if d.UID != 0 || d.GID != 0 {
		if err := unix.Fchownat(dir, name, d.UID, d.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("chown: %w", err)
		}
	}
	if d.isNull() {
		return dm.null.keep(dm.plan, dir, name)
	}
	return nil
}

func (d *Device) isNull() bool {
	return d.Mode&unix.S_IFMT == unix.S_IFCHR && d.Major == 1 && d.Minor == 3
}

// errPlainFile is what verify says about an empty file where a node should be: images that were
// unpacked without privileges have such.
var errPlainFile = errors.New("a regular file exists there")

// verify checks that the name is the device: "If a file already exists at path that does not match
// the requested device, the runtime MUST generate an error" (config-linux.md). With own set, init
// has made it, and gives it its owner.
func (d *Device) verify(dir int, name string, own bool) error {
	fd, err := linux.Openat2(dir, name, unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := d.match(fd); err != nil || !own {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if int(st.Uid) == d.UID && int(st.Gid) == d.GID {
		return nil
	}
	if err := unix.Fchownat(fd, "", d.UID, d.GID, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("chown: %w", err)
	}
	return nil
}

// match compares what an fd is open at with the wished type and number.
func (d *Device) match(fd int) error {
	at, err := placeOf(fd)
	if err != nil {
		return err
	}
	format := d.Mode & unix.S_IFMT
	switch {
	case at.format() == unix.S_IFREG:
		return errPlainFile
	case at.format() != format:
		return fmt.Errorf("something else exists there: %s", kindOf(at.mode))
	case format != unix.S_IFIFO && at.rdev != unix.Mkdev(d.Major, d.Minor):
		return fmt.Errorf("another device exists there: %d:%d, not %d:%d",
			unix.Major(at.rdev), unix.Minor(at.rdev), d.Major, d.Minor)
	}
	return nil
}

// bindRefused shows the host's node where making one isn't allowed: if the configuration has it,
// and a user namespace is not the reason, only one that lets nobody do more than the configured
// one.
func (dm *deviceMaker) bindRefused(dir int, name string, d *Device) error {
	if d.Pointer == "" || dm.plan.inUserNamespace() {
		return dm.bindDevice(dir, name, d)
	}
	source, err := d.hostNode()
	if err != nil {
		return fmt.Errorf("mknod: %w (and the host's cannot stand in: %w)", unix.EPERM, err)
	}
	defer unix.Close(source)
	var st unix.Stat_t
	if err := unix.Fstat(source, &st); err != nil {
		return err
	}
	if st.Mode&^d.Mode&0o777 != 0 || int(st.Uid) != d.UID || int(st.Gid) != d.GID {
		return fmt.Errorf("mknod: %w (and the host's cannot stand in: it has mode %#o and owner %d:%d, not %#o and %d:%d)",
			unix.EPERM, st.Mode&0o777, st.Uid, st.Gid, d.Mode&0o777, d.UID, d.GID)
	}
	return dm.bindDevice(dir, name, d)
}

// bindDevice shows the host's node. Its mode and owner are the host's, and stay so.
func (dm *deviceMaker) bindDevice(dir int, name string, d *Device) error {
	target, err := openNodeTarget(dir, name)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if d.match(target) == nil {
		return nil // it is bound already
	}
	source, err := d.hostNode()
	if err != nil {
		return err
	}
	defer unix.Close(source)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC}
	if !dm.plan.UserNS {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY // its mode and owner, that is: a device doesn't become read-only by it
	}
	if err := linux.MountSetattr(source, 0, &attr); err != nil {
		return fmt.Errorf("change the attributes of the host's node: %w", err)
	}
	if err := attach(source, target); err != nil {
		return err
	}
	if d.isNull() {
		return dm.null.keep(dm.plan, source, "")
	}
	return nil
}

// openNodeTarget opens a name for a node to be mounted there, and makes an empty file if there is
// nothing.
func openNodeTarget(dir int, name string) (int, error) {
	fd, err := linux.Openat2(dir, name, unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_NO_MAGICLINKS)
	if err == unix.ENOENT { //nolint:errorlint // a bare errno
		if err := unix.Mknodat(dir, name, unix.S_IFREG, 0); err != nil && err != unix.EEXIST {
			return -1, fmt.Errorf("create: %w", err)
		}
		fd, err = linux.Openat2(dir, name, unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_NO_MAGICLINKS)
	}
	if err != nil {
		return -1, err
	}
	at, err := placeOf(fd)
	if err == nil && (at.isDir() || at.format() == unix.S_IFLNK) {
		err = fmt.Errorf("something else exists there: %s", kindOf(at.mode))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// hostNode clones the host's node of the same name, or of the same number as udev lists it.
func (d *Device) hostNode() (int, error) {
	kind := "char"
	if d.Mode&unix.S_IFMT == unix.S_IFBLK {
		kind = "block"
	}
	number := strconv.Itoa(int(d.Major)) + ":" + strconv.Itoa(int(d.Minor))
	var first error
	for _, p := range [...]string{d.Path, "/dev/" + kind + "/" + number} {
		fd, err := linux.OpenTree(unix.AT_FDCWD, p, unix.OPEN_TREE_CLONE)
		if err == nil {
			if err = d.match(fd); err == nil {
				return fd, nil
			}
			unix.Close(fd)
		}
		if first == nil {
			first = fmt.Errorf("bind source %q: %w", p, err)
		}
	}
	return -1, first
}
