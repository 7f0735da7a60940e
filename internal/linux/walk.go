package linux

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is the kernel's own limit of symbolic links in a path (MAXSYMLINKS).
const maxLinks = 40

// walk looks a path up where openat2(2) is refused: component by component, each relative to the
// descriptor of the one before. The kernel never gets more than one name and never follows a link:
// a link is read and its text walked. So whoever exchanges components meanwhile can change which
// place below the root is found, and nothing else, as with openat2.
type walk struct {
	resolve uint64
	flags   int
	mode    uint32
	held    []int    // the places from the beginning to where it stands
	names   []string // of held, without the first
	todo    []string
	dir     bool // the path has to lead to a directory: it ends in a slash
	links   int
	mount   uint64 // of the beginning, for RESOLVE_NO_XDEV
}

// walkat is openat2(2) without that call.
func walkat(dirfd int, path string, flags, mode, resolve uint64) (int, error) {
	if resolve == 0 {
		return openat(dirfd, path, int(flags)|unix.O_CLOEXEC, uint32(mode))
	}
	w := &walk{resolve: resolve, flags: int(flags) | unix.O_CLOEXEC, mode: uint32(mode)}
	defer w.close()
	if err := w.begin(dirfd, path); err != nil {
		return -1, err
	}
	return w.run()
}

// Unlinked gives the names from dirfd to where path leads below it, without symbolic links. It
// follows no magic links of procfs. dirfd counts as the root of everything.
func Unlinked(dirfd int, path string) ([]string, error) {
	w := &walk{resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS, flags: unix.O_PATH | unix.O_CLOEXEC}
	defer w.close()
	if err := w.begin(dirfd, path); err != nil {
		return nil, err
	}
	fd, err := w.run()
	if err != nil {
		return nil, err
	}
	return w.names, unix.Close(fd)
}

func (w *walk) close() {
	for _, fd := range w.held {
		unix.Close(fd)
	}
}

// scoped tells that nothing leads out of the directory that the walk began at.
func (w *walk) scoped() bool { return w.resolve&(unix.RESOLVE_IN_ROOT|unix.RESOLVE_BENEATH) != 0 }

func (w *walk) begin(dirfd int, path string) error {
	if path == "" {
		return unix.ENOENT
	}
	absolute := path[0] == '/'
	if absolute && w.resolve&unix.RESOLVE_BENEATH != 0 {
		return unix.EXDEV
	}
	at, from := dirfd, "."
	if absolute && !w.scoped() {
		at, from = unix.AT_FDCWD, "/"
	}
	fd, err := openat(at, from, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	w.held = append(w.held, fd)
	w.add(path)
	if w.resolve&unix.RESOLVE_NO_XDEV != 0 {
		w.mount, err = mountID(fd)
	}
	return err
}

// add puts the names of a path in front of what is still to be gone.
func (w *walk) add(path string) {
	if len(w.todo) == 0 {
		w.dir = w.dir || strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/.") || path == "."
	}
	names := slices.DeleteFunc(strings.Split(path, "/"), func(name string) bool { return name == "" || name == "." })
	w.todo = append(names, w.todo...)
}

func (w *walk) here() int { return w.held[len(w.held)-1] }

// run goes along w.todo, and opens the last of it as the flags say.
func (w *walk) run() (int, error) {
	for len(w.todo) > 0 {
		name := w.todo[0]
		w.todo = w.todo[1:]
		if name == ".." {
			if err := w.up(); err != nil {
				return -1, err
			}
			continue
		}
		fd, found, err := w.enter(name)
		if found || err != nil {
			return fd, err
		}
	}
	return openat(w.here(), ".", w.flags, w.mode)
}

// up goes to the directory above: in a scope to the one that the walk came by, which it still has
// open, wherever that has been moved to.
func (w *walk) up() error {
	switch {
	case !w.scoped():
		fd, err := openat(w.here(), "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return w.stand(fd, "..")
	case len(w.held) > 1:
		last := len(w.held) - 1
		unix.Close(w.held[last])
		w.held, w.names = w.held[:last], w.names[:last-1]
	case w.resolve&unix.RESOLVE_BENEATH != 0:
		return unix.EXDEV
	}
	return nil
}

// stand goes on from fd, which is the walk's then.
func (w *walk) stand(fd int, name string) error {
	w.held, w.names = append(w.held, fd), append(w.names, name)
	return w.sameMount(fd)
}

func (w *walk) sameMount(fd int) error {
	if w.resolve&unix.RESOLVE_NO_XDEV == 0 {
		return nil
	}
	mount, err := mountID(fd)
	if err == nil && mount != w.mount {
		err = unix.EXDEV
	}
	return err
}

// enter goes to a name in the current directory. found tells that it was the last, and fd is open
// at it.
func (w *walk) enter(name string) (fd int, found bool, err error) {
	last := len(w.todo) == 0
	place, err := openat(w.here(), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT && last && !w.dir && w.flags&unix.O_CREAT != 0 { //nolint:errorlint // a bare errno
		fd, err := openat(w.here(), name, w.flags|unix.O_NOFOLLOW, w.mode)
		return fd, err == nil, err
	}
	if err != nil {
		return -1, false, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(place, &st); err != nil {
		unix.Close(place)
		return -1, false, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK && (!last || w.dir || w.flags&unix.O_NOFOLLOW == 0) {
		defer unix.Close(place)
		return -1, false, w.follow(place)
	}
	if err := w.stand(place, name); err != nil {
		return -1, false, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR && (!last || w.dir || w.flags&unix.O_DIRECTORY != 0) {
		return -1, false, unix.ENOTDIR
	}
	if !last {
		return -1, false, nil
	}
	fd, err = w.last(name)
	return fd, err == nil, err
}

// last opens the last name, at which the walk stands, as the flags say.
func (w *walk) last(name string) (int, error) {
	if w.flags&unix.O_PATH != 0 {
		return unix.FcntlInt(uintptr(w.here()), unix.F_DUPFD_CLOEXEC, 3)
	}
	fd, err := openat(w.held[len(w.held)-2], name, w.flags|unix.O_NOFOLLOW, w.mode)
	if err != nil {
		return -1, err
	}
	if err := w.sameMount(fd); err != nil { // it may be another by now
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// follow reads the link that fd is open at, and has its text walked. The text of a magic link of
// procfs is no path: a scope refuses it, and RESOLVE_NO_MAGICLINKS. Other links there, but for a
// few of drivers, begin with the number of a process or with "self".
func (w *walk) follow(fd int) error {
	w.links++
	if w.links > maxLinks || w.resolve&unix.RESOLVE_NO_SYMLINKS != 0 {
		return unix.ELOOP
	}
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(fd, "", buf[:])
	if err != nil {
		return err
	}
	target := string(buf[:n])
	if target == "" {
		return unix.ENOENT
	}
	if proc, err := onProcfs(fd); err != nil {
		return err
	} else if proc && !strings.HasPrefix(target, "self/") && (target[0] < '0' || target[0] > '9') {
		return unix.ELOOP
	}
	if target[0] == '/' {
		if err := w.restart(); err != nil {
			return err
		}
	}
	w.add(target)
	return nil
}

// restart goes to where an absolute link leads from.
func (w *walk) restart() error {
	if w.resolve&unix.RESOLVE_BENEATH != 0 {
		return unix.EXDEV
	}
	if w.scoped() {
		for _, fd := range w.held[1:] {
			unix.Close(fd)
		}
		w.held, w.names = w.held[:1], nil
		return nil
	}
	fd, err := openat(unix.AT_FDCWD, "/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return w.stand(fd, "/")
}

func openat(dirfd int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, name, flags, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}
