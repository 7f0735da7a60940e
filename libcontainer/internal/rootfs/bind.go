package rootfs

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/internal/log"
)

// bind attaches a copy of a mount of the host.
func (mr *mounter) bind(i int, m *Mount) error {
	source, err := mr.source(i, m)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	from, err := placeOf(source)
	if err != nil {
		return err
	}
	if err := checkProcSource(source, from, m); err != nil {
		return err
	}
	if m.Links&copySource != 0 && from.isLink() {
		return mr.copyLink(source, m)
	}
	target, err := mr.bindTarget(m, !from.isDir())
	if err != nil {
		return err
	}
	defer unix.Close(target)
	at, err := mr.root.checkTarget(target, m)
	if err != nil {
		return err
	}
	if from.isDir() != at.isDir() {
		return mismatch(m.Source, from, m.Destination, at)
	}
	return mr.attachBind(source, target, m)
}

func (mr *mounter) attachBind(source, target int, m *Mount) error {
	if m.Given {
		if err := applyAttr(source, m.Attr); err != nil {
			return err
		}
	}
	if err := protectCgroups(source, m); err != nil {
		return err
	}
	if err := show(source, target, m); err != nil {
		return err
	}
	return mr.kept.addAnchor(source, m)
}

// source clones what a bind mount shows. Its path is one of the host, taken in init's copy of the
// host's mounts, where the mounts before it can already be seen below the root. What a user
// namespace can't reach or must not map by itself comes from the parent.
func (mr *mounter) source(i int, m *Mount) (int, error) {
	if m.IDMap == nil {
		fd, err := linux.OpenTree(unix.AT_FDCWD, m.Source, cloneFlags(m))
		if err == nil {
			return fd, nil
		}
		if err != unix.EACCES || mr.ask == nil || !mr.plan.UserNS { //nolint:errorlint // a bare errno
			return -1, fmt.Errorf("bind source %q: %w%s", m.Source, err, blameHost(m.Source, err))
		}
	}
	if mr.ask == nil {
		return -1, fmt.Errorf("bind source %q: nobody can prepare it", m.Source)
	}
	file, err := mr.ask(i)
	if err != nil {
		return -1, fmt.Errorf("bind source %q: %w", m.Source, err)
	}
	defer file.Close()
	fd, err := dup(int(file.Fd()))
	if err != nil {
		return -1, fmt.Errorf("dup: %w", err)
	}
	return fd, nil
}

func cloneFlags(m *Mount) uint {
	flags := unix.OPEN_TREE_CLONE | recursion(m.Recursive)
	if m.Links&(copySource|keepSource) != 0 {
		flags |= unix.AT_SYMLINK_NOFOLLOW
	}
	return flags
}

// checkProcSource lets nothing but a procfs be bound on /proc.
func checkProcSource(source int, from place, m *Mount) error {
	if m.Destination != "/proc" {
		return nil
	}
	proc, err := isFS(source, unix.PROC_SUPER_MAGIC)
	if err != nil {
		return err
	}
	if !proc {
		return fmt.Errorf("%q cannot be mounted because it is not of type proc", m.Destination)
	}
	const procRootIno = 1 // linux/proc_ns.h
	if from.ino != procRootIno {
		log.Warn(fmt.Sprintf("bind source %q on /proc is not the root of a procfs", m.Source))
	}
	return nil
}

// bindable are the attributes that a bind mount with options doesn't take over from its source.
const bindable = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC |
	unix.MOUNT_ATTR_NOSYMFOLLOW

// lockable are the flags that a mount from a more privileged namespace may have for good
// (mount_namespaces(7)).
const lockable = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NODIRATIME | atimeModes

const accessTimes = unix.MS_NODIRATIME | atimeModes

// applyAttr gives a mount exactly the wished flags, but keeps its access times if no wish concerns
// them. If the mount has flags that the namespace can't take away, these stay too, unless that
// contradicts a wish.
func applyAttr(fd int, wish Flags) error {
	attr := unix.MountAttr{Attr_set: attrBits(wish.Set), Attr_clr: bindable &^ attrBits(wish.Set)}
	if wish.Set&accessTimes != 0 {
		attr.Attr_clr |= unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME&^attr.Attr_set
	}
	err := linux.MountSetattr(fd, 0, &attr)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	has, errHas := flagsOf(fd)
	if errHas != nil {
		return errHas
	}
	if locked := has & wish.Clear & lockable; locked != 0 {
		return fmt.Errorf("the source's flags %s are locked, the options can't clear them: %w", flagNames(locked), err)
	}
	if wish.Set&accessTimes != 0 && wish.Set&accessTimes != has&accessTimes {
		return fmt.Errorf("the source's access times %s are locked, the options can't change them: %w", flagNames(has&accessTimes), err)
	}
	kept := unix.MountAttr{
		Attr_set: attrBits(wish.Set &^ accessTimes),
		Attr_clr: unix.MOUNT_ATTR_NOSYMFOLLOW &^ attrBits(wish.Set),
	}
	return linux.MountSetattr(fd, 0, &kept)
}

// flagsOf reads a mount's flags. statfs(2) has most of them at mount(2)'s bits; access times are
// strict if nothing says otherwise.
func flagsOf(fd int) (uint32, error) {
	const relatime, nosymfollow = 0x1000, 0x2000 // ST_RELATIME, ST_NOSYMFOLLOW of linux/statfs.h
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return 0, fmt.Errorf("fstatfs: %w", err)
	}
	flags := uint32(st.Flags) & (unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
	if st.Flags&relatime != 0 {
		flags |= unix.MS_RELATIME
	}
	if st.Flags&nosymfollow != 0 {
		flags |= unix.MS_NOSYMFOLLOW
	}
	if flags&(unix.MS_NOATIME|unix.MS_RELATIME) == 0 {
		flags |= unix.MS_STRICTATIME
	}
	return flags, nil
}

func flagNames(flags uint32) string {
	var names []string
	for _, o := range options {
		if o.kind == attribute && !o.clear && flags&o.flag != 0 {
			names = append(names, o.name)
		}
	}
	return strings.Join(names, ",")
}

// protectCgroups makes the whole tree read-only when /sys is bound read-only with all below it:
// /sys/fs/cgroup is a mount of its own there, and would stay writable (CVE-2023-25809).
func protectCgroups(source int, m *Mount) error {
	if !m.Recursive || m.Attr.Set&unix.MS_RDONLY == 0 {
		return nil
	}
	if sys, err := isFS(source, unix.SYSFS_MAGIC); err != nil || !sys {
		return err
	}
	return linux.MountSetattr(source, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// bindSys shows the host's /sys where a sysfs of the container's own isn't allowed: in a user
// namespace that doesn't own the network namespace. What is mounted below the host's, and can't be
// left out, is read-only in any case: a sysfs would be empty there.
func (mr *mounter) bindSys(m *Mount, target int) error {
	b := *m
	b.Kind, b.Source, b.Recursive, b.Given = Bind, "/sys", true, true
	fd, err := linux.OpenTree(unix.AT_FDCWD, b.Source, cloneFlags(&b))
	if err != nil {
		return fmt.Errorf("%w (bind source %q in its place: %w)", unix.EPERM, b.Source, err)
	}
	defer unix.Close(fd)
	if err := linux.MountSetattr(fd, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("make bind source %q read-only: %w", b.Source, err)
	}
	return mr.attachBind(fd, target, &b)
}
