package rootfs

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// mountNew makes a mount that is none of a mount of the host's: opens where it goes, a directory,
// and has it made.
func (mr *mounter) mountNew(i int, m *Mount) error {
	target, created, err := mr.filesystemTarget(m)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	at, err := mr.root.checkTarget(target, m)
	if err != nil {
		return err
	}
	if !at.isDir() {
		return notDirectory(at, m.Destination)
	}
	if m.isCgroup() {
		return mr.mountCgroup(i, m, target)
	}
	s := mr.plan.filesystem(m)
	if m.Kind == Tmpfs && !created && !m.hasMode() {
		s.mode = int(at.mode & 0o7777)
	}
	return mr.mountFilesystem(i, &s, target)
}

// mountFilesystem makes a new superblock, mounts it detached with all that the options say, and
// attaches it.
func (mr *mounter) mountFilesystem(i int, s *filesystem, target int) error {
	m := s.Mount
	if m.legacy() {
		return mr.mountLegacy(i, s, target)
	}
	fd, err := mr.fresh(i, s)
	if errors.Is(err, unix.EINVAL) && m.Type == "devpts" {
		fd, err = s.withoutGroup(err)
	}
	if errors.Is(err, unix.EPERM) && m.Kind == Sysfs && mr.plan.inUserNamespace() {
		return mr.bindSys(m, target)
	}
	if err != nil {
		return err
	}
	if err = mr.mapIDs(i, fd, m); err == nil {
		err = mr.finish(fd, target, m)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	mr.keep(i, fd, m)
	return nil
}

// filesystemTarget opens where a filesystem goes. proc and sysfs must not go where a symbolic link
// of the image leads (CVE-2019-19921, CVE-2023-27561).
func (mr *mounter) filesystemTarget(m *Mount) (fd int, created bool, err error) {
	if m.Kind != Proc && m.Kind != Sysfs {
		return mr.root.target(m.Destination, false)
	}
	if fd, err = mr.root.targetItself(m.Destination, false); err != nil {
		return -1, false, err
	}
	if at, err := placeOf(fd); err != nil || !at.isDir() {
		unix.Close(fd)
		return -1, false, fmt.Errorf("filesystem %q must be mounted on ordinary directory", m.Type)
	}
	return fd, false, nil
}

// keep holds on to the mounts that later steps need.
func (mr *mounter) keep(i, fd int, m *Mount) {
	if m.Kind == Tmpfs && m.Destination == "/dev" {
		mr.makeMountPoints(fd, i+1)
		mr.kept.addDev(fd)
	}
	if m.readonlyLate() {
		mr.kept.late = append(mr.kept.late, late{fd, m})
		return
	}
	unix.Close(fd)
}

// fresh makes the mount of a superblock that may have been prepared.
func (mr *mounter) fresh(i int, s *filesystem) (int, error) {
	ctx, found := mr.prepared.take(i)
	switch {
	case found:
	case s.Kind == Proc && mr.root.self != "":
		return -1, errors.New("the container's process has not made its superblock")
	default:
		return s.detached()
	}
	defer unix.Close(ctx)
	return s.fsmount(ctx)
}

// makeMountPoints makes directories in a new /dev for the filesystems that come later: one call
// each, where [root.create] takes ten. It makes what isn't made here.
func (mr *mounter) makeMountPoints(dev, from int) {
	for i := from; i < len(mr.plan.Mounts); i++ {
		m := &mr.plan.Mounts[i]
		name, inside := strings.CutPrefix(m.Destination, "/dev/")
		if inside && !strings.Contains(name, "/") && (m.Kind == Filesystem || m.Kind == Tmpfs || m.Kind == Mqueue) && !m.Remount {
			_ = unix.Mkdirat(dev, name, 0o755)
		}
	}
}

// finish does to a detached mount what the options say beside the parameters, and attaches it.
func (mr *mounter) finish(fd, target int, m *Mount) error {
	if m.CopyUp {
		if err := copyUpTree(target, fd, mr.plan.CopyLimit); err != nil {
			return err
		}
	}
	if m.Kind == Mqueue && mr.plan.Label != "" {
		if err := setLabel(fd, mr.plan.Label); err != nil {
			return err
		}
	}
	if err := show(fd, target, m); err != nil {
		return err
	}
	return mr.kept.addAnchor(fd, m)
}

// setLabel gives the root of a mount a SELinux label, for a filesystem that has no mount option for
// it.
func setLabel(fd int, label string) error {
	dir, err := linux.Openat2(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := unix.Fsetxattr(dir, "security.selinux", []byte(label), 0); err != nil {
		return fmt.Errorf("label %q: %w", label, err)
	}
	return nil
}
