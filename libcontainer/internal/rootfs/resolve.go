package rootfs

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// inRoot makes the kernel resolve a path as if the directory it starts at were the root of
// everything, and take no jump through procfs (/proc/PID/root, /proc/PID/fd/N).
const inRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// maxLinks is the kernel's own limit of symbolic links in a path (MAXSYMLINKS).
const maxLinks = 40

// walk goes along w.todo.
func (r *root) walk(w walk) (int, error) {
	w.root, w.cur = r, -1
	if err := w.restart(nil); err != nil {
		return -1, err
	}
	for len(w.todo) > 0 {
		if err := w.step(); err != nil {
			unix.Close(w.cur)
			return -1, err
		}
	}
	return w.cur, nil
}

// walk is the state of [root.walk].
type walk struct {
	root  *root
	cur   int      // where it stands
	names []string // from the root to cur, without symbolic links
	todo  []string
	links int
	file  bool // the last name shall be a file
	only  bool // what is missing is not made
}

func split(p string) []string {
	return strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
}

// restart goes to a place from the root whose path had no symbolic links a moment ago. If it has
// now, somebody is at it.
func (w *walk) restart(names []string) error {
	how := uint64(inRoot | unix.RESOLVE_NO_SYMLINKS)
	fd, err := linux.Openat2(w.root.fd, "./"+strings.Join(names, "/"), unix.O_PATH|unix.O_DIRECTORY, 0, how)
	if err != nil {
		return err
	}
	w.move(fd, names)
	return nil
}

func (w *walk) move(fd int, names []string) {
	if w.cur >= 0 {
		unix.Close(w.cur)
	}
	w.cur, w.names = fd, names
}

func (w *walk) step() error {
	name := w.todo[0]
	w.todo = w.todo[1:]
	switch name {
	case ".":
		return nil
	case "..":
		return w.restart(w.names[:max(len(w.names)-1, 0)])
	}
	fd, err := w.enter(name)
	if err != nil {
		return err
	}
	target, isLink, err := w.root.selfLink(name, fd)
	if !isLink && err == nil {
		target, isLink, err = readLink(fd)
	}
	if isLink || err != nil {
		unix.Close(fd)
		if err != nil {
			return err
		}
		return w.follow(target)
	}
	w.move(fd, append(w.names[:len(w.names):len(w.names)], name))
	return nil
}

// enter opens a name in the current directory without following it, and makes it if it is missing.
func (w *walk) enter(name string) (int, error) {
	for {
		fd, err := linux.Openat2(w.cur, name, unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_NO_MAGICLINKS)
		if err != unix.ENOENT || w.only { //nolint:errorlint // a bare errno
			return fd, err
		}
		if w.file && len(w.todo) == 0 {
			err = unix.Mknodat(w.cur, name, unix.S_IFREG|0o644, 0)
		} else {
			err = unix.Mkdirat(w.cur, name, 0o755)
		}
		if err != nil && err != unix.EEXIST { //nolint:errorlint // a bare errno
			dir := "/" + strings.Join(w.names, "/")
			return -1, fmt.Errorf("create %q: %w%s", path.Join(dir, name), err, unwritable(w.cur, dir, err))
		}
	}
}

func (w *walk) follow(target string) error {
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	w.todo = append(split(target), w.todo...)
	if path.IsAbs(target) {
		return w.restart(nil)
	}
	return nil
}

// readLink reads the symbolic link that fd is open at, or tells that it is none.
func readLink(fd int) (target string, isLink bool, err error) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(fd, "", buf[:])
	switch err {
	case nil:
		return string(buf[:n]), true, nil
	case unix.ENOENT, unix.EINVAL: // readlinkat(2): an empty path at something else than a symbolic link
		return "", false, nil
	}
	return "", false, err
}

// place identifies what an fd is open at: the inode, and the mount that it is seen through.
type place struct {
	mount, ino uint64
	dev        uint64
	mode       uint32
	rdev       uint64
}

func placeOf(fd int) (place, error) {
	var st unix.Statx_t
	err := linux.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW,
		unix.STATX_TYPE|unix.STATX_MODE|unix.STATX_INO|unix.STATX_MNT_ID, &st)
	if err != nil {
		return place{}, fmt.Errorf("stat: %w", err)
	}
	return place{
		mount: st.Mnt_id, ino: st.Ino, dev: unix.Mkdev(st.Dev_major, st.Dev_minor),
		mode: uint32(st.Mode), rdev: unix.Mkdev(st.Rdev_major, st.Rdev_minor),
	}, nil
}

func (p place) format() uint32    { return p.mode & unix.S_IFMT }
func (p place) isDir() bool       { return p.format() == unix.S_IFDIR }
func (p place) isLink() bool      { return p.format() == unix.S_IFLNK }
func (p place) same(o place) bool { return p.mount == o.mount && p.ino == o.ino && p.dev == o.dev }
