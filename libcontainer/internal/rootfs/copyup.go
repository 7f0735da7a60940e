package rootfs

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/linux"
)

// copier copies what a directory holds into a new tmpfs.
type copier struct {
	limit int64 // of the container's memory, if that isn't in force yet, or 0
	used  int64 // as far as there is a limit
}

// copyUpTree copies what a directory holds, and its owner, into the root of a new tmpfs. Nothing is
// followed: both sides are walked by fd. limit is [Plan.CopyLimit].
func copyUpTree(from, to int, limit int64) error {
	c := &copier{limit: limit}
	if err := c.dir(from, to, "."); err != nil {
		return fmt.Errorf("tmpcopyup: %w", err)
	}
	return nil
}

// content copies a file's content. What isn't limited by the kernel yet must not take the host's
// memory.
func (c *copier) content(dst, src *os.File) error {
	if c.limit == 0 {
		_, err := io.Copy(dst, src)
		return err
	}
	const node, page = 1 << 10, 1 << 12 // what an inode with its name takes, about, and what memory is given in
	n, err := io.Copy(dst, io.LimitReader(src, max(c.limit-c.used, 0)+1))
	c.used += node + (n+page-1)&^(page-1)
	if err == nil && c.used > c.limit {
		return fmt.Errorf("the container's memory limit of %d bytes has no room for all that is to be copied", c.limit)
	}
	return err
}

// dir copies the entries and then the attributes of the directory that from is open at.
func (c *copier) dir(from, to int, name string) error {
	src, err := linux.Openat2(from, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return fmt.Errorf("open %q: %w", name, err)
	}
	dir := os.NewFile(uintptr(src), name)
	defer dir.Close()
	entries, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := c.entry(src, to, entry); err != nil {
			return fmt.Errorf("copy %q: %w", name+"/"+entry, err)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(src, &st); err != nil {
		return err
	}
	dst, err := linux.Openat2(to, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	if name == "." { // its mode is the mount's own matter
		return unix.Fchown(dst, int(st.Uid), int(st.Gid))
	}
	return copyMeta(src, dst, &st)
}

func (c *copier) entry(from, to int, name string) error {
	place, err := linux.Openat2(from, name, unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_BENEATH)
	if err != nil {
		return err
	}
	defer unix.Close(place)
	var st unix.Stat_t
	if err := unix.Fstat(place, &st); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return c.subdir(place, to, name)
	case unix.S_IFREG:
		return c.file(place, to, name)
	case unix.S_IFLNK:
		target, _, err := readLink(place)
		if err != nil {
			return err
		}
		if err := unix.Symlinkat(target, to, name); err != nil {
			return err
		}
	case unix.S_IFSOCK:
		return nil // nobody listens on a copy
	default:
		if err := unix.Mknodat(to, name, st.Mode, int(st.Rdev)); err != nil { // a dev_t
			return err
		}
	}
	return copyOwner(to, name, &st)
}

// copyOwner finishes what can't be opened. The umask is 0, so a new node has its mode already.
func copyOwner(to int, name string, st *unix.Stat_t) error {
	if err := unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	return unix.UtimesNanoAt(to, name, times, unix.AT_SYMLINK_NOFOLLOW)
}

func (c *copier) subdir(place, to int, name string) error {
	if err := unix.Mkdirat(to, name, 0o700); err != nil {
		return err
	}
	dst, err := linux.Openat2(to, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	return c.dir(place, dst, name)
}

// file copies the regular file that place stands for. It is opened by that descriptor: under its
// name there may be a device by now.
func (c *copier) file(place, to int, name string) error {
	fd, err := files.Reopen(place, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	src := os.NewFile(uintptr(fd), name)
	defer src.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	fd, err = linux.Openat2(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600, 0)
	if err != nil {
		return err
	}
	dst := os.NewFile(uintptr(fd), name)
	defer dst.Close()
	if err := c.content(dst, src); err != nil {
		return err
	}
	return copyMeta(int(src.Fd()), fd, &st)
}

// copyMeta copies owner, extended attributes, mode and times, in an order in which none takes away
// another: chown clears set-id bits and capabilities, and everything changes times.
func copyMeta(src, dst int, st *unix.Stat_t) error {
	if err := unix.Fchown(dst, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	copyXattrs(src, dst)
	if err := unix.Fchmod(dst, st.Mode&0o7777); err != nil {
		return err
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	return unix.UtimesNanoAt(dst, "", times, unix.AT_EMPTY_PATH)
}

// copyXattrs copies what the tmpfs takes: it may lack a class of attributes, and labels may be the
// policy's.
func copyXattrs(src, dst int) {
	names := make([]byte, 4096)
	n, err := unix.Flistxattr(src, names)
	if err != nil || n == 0 {
		return
	}
	value := make([]byte, 65536)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		if size, err := unix.Fgetxattr(src, name, value); err == nil {
			_ = unix.Fsetxattr(dst, name, value[:size], 0)
		}
	}
}
