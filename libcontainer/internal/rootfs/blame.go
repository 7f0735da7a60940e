package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/idmap"
)

// blame says which component of a path is the reason for an error of looking it up, "" if that
// can't be told. It looks again, component by component: the error has no more than an errno. dir
// and how are openat2(2)'s, the path begins with a slash.
type blame struct {
	dir   int
	how   uint64
	links int
}

// blameHost is about a path among the mounts that this process sees.
func blameHost(p string, err error) string { return (&blame{dir: unix.AT_FDCWD}).say(p, err) }

func (b *blame) say(p string, err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return ""
	}
	switch errno {
	case unix.ENOTDIR, unix.EACCES, unix.ELOOP, unix.ENOENT:
		if text := b.find(p, errno); text != "" {
			return " (" + text + ")"
		}
	}
	return ""
}

// find goes down to the first component that gives the error.
func (b *blame) find(p string, errno unix.Errno) string {
	at, names := "/", split(p)
	above, err := linux.Openat2(b.dir, at, unix.O_PATH, 0, b.how)
	if err != nil {
		return ""
	}
	defer func() { unix.Close(above) }()
	for i, name := range names {
		here := path.Join(at, name)
		fd, err := linux.Openat2(b.dir, here, unix.O_PATH, 0, b.how)
		if err == nil {
			unix.Close(above)
			above, at = fd, here
			continue
		}
		if !errors.Is(err, errno) {
			return ""
		}
		if text, isLink := b.link(here, errno); isLink {
			return text
		}
		if errno == unix.ENOENT && i == len(names)-1 {
			return "" // the path itself, which the error names
		}
		return culprit(above, at, here, errno)
	}
	if errno == unix.ENOTDIR { // all of it is there: a slash at its end wants a directory
		return culprit(above, at, at, errno)
	}
	return ""
}

// link is find for a component that is a symbolic link.
func (b *blame) link(here string, errno unix.Errno) (text string, isLink bool) {
	fd, err := linux.Openat2(b.dir, here, unix.O_PATH|unix.O_NOFOLLOW, 0, b.how)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	target, isLink, err := readLink(fd)
	if err != nil || !isLink {
		return "", false
	}
	if proc, err := isFS(fd, unix.PROC_SUPER_MAGIC); err == nil && proc && errno == unix.ELOOP {
		return fmt.Sprintf("%q is a link of procfs, which is not followed", here), true
	}
	if b.links++; b.links > maxLinks || errno == unix.ELOOP {
		return fmt.Sprintf("%q is a symbolic link to %q, which leads in a circle or over too many others", here, target), true
	}
	if !path.IsAbs(target) {
		target = path.Join(path.Dir(here), target)
	}
	if text = b.find(target, errno); text == "" && errno == unix.ENOENT {
		text = fmt.Sprintf("%q is a symbolic link to %q, which does not exist", here, target)
	}
	return text, true
}

// culprit describes what a path could not be followed at: fd is open at its last component that
// could be reached.
func culprit(fd int, at, here string, errno unix.Errno) string {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return ""
	}
	switch errno {
	case unix.ENOENT:
		return fmt.Sprintf("%q does not exist", here)
	case unix.ENOTDIR:
		if st.Mode&unix.S_IFMT != unix.S_IFDIR { // as it would be if somebody had changed it meanwhile
			return fmt.Sprintf("%q is %s", at, kindOf(st.Mode))
		}
	case unix.EACCES:
		return fmt.Sprintf("%q has mode %04o and owner %d:%d, and may not be searched by %s", at, st.Mode&0o7777, st.Uid, st.Gid, me())
	}
	return ""
}

// unwritable explains why nothing can be made in a directory.
func unwritable(dir int, at string, err error) string {
	var st unix.Stat_t
	if !errors.Is(err, unix.EACCES) || unix.Fstat(dir, &st) != nil {
		return ""
	}
	return fmt.Sprintf(" (%q has mode %04o and owner %d:%d, and may not be written to by %s)", at, st.Mode&0o7777, st.Uid, st.Gid, me())
}

// me says who was denied something.
func me() string {
	who := fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid())
	if idmap.InUserNamespace() {
		who += " of the user namespace"
	}
	return who
}

// fileKinds are the types of files, as people call them.
var fileKinds = [...]struct {
	format uint32
	name   string
}{
	{unix.S_IFREG, "a regular file"},
	{unix.S_IFDIR, "a directory"},
	{unix.S_IFLNK, "a symbolic link"},
	{unix.S_IFCHR, "a character device"},
	{unix.S_IFBLK, "a block device"},
	{unix.S_IFIFO, "a FIFO"},
	{unix.S_IFSOCK, "a socket"},
}

func kindOf(mode uint32) string {
	for _, k := range fileKinds {
		if mode&unix.S_IFMT == k.format {
			return k.name
		}
	}
	return fmt.Sprintf("of type %#o", mode&unix.S_IFMT)
}

// mismatch is the error of a mount whose source and place are of different kinds: mount(2) says
// ENOTDIR, which callers know. It must not say that something "is a directory", which Docker takes
// for another cause, with another exit status.
func mismatch(source string, from place, target string, to place) error {
	return fmt.Errorf("%w (to be mounted: %q, %s; in the container: %q, %s)", unix.ENOTDIR, source, kindOf(from.mode),
		target, kindOf(to.mode))
}

// notDirectory is the error of a filesystem that goes on something else than a directory.
func notDirectory(at place, name string) error {
	return fmt.Errorf("%w (%q in the container is %s)", unix.ENOTDIR, name, kindOf(at.mode))
}
