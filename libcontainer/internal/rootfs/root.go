package rootfs

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// root is the directory that becomes the container's "/". [Open] pins it, [FS] holds it until
// [FS.Close] and lends it to what makes a step. No path that the container could influence is
// resolved but by its methods, which never leave the directory, and which look at what they have
// opened, not at a name.
type root struct {
	fd    int    // the root of the container's root mount, or -1
	place place  // the same, to recognize it
	self  string // the pid of the container's process, if this is a thread of the parent's, or ""
}

// lookup opens unsafePath inside the root as a mere place (O_PATH). Flags are for openat2(2).
func (r *root) lookup(unsafePath string, flags uint64) (int, error) {
	fd, err := linux.Openat2(r.fd, unsafePath, unix.O_PATH|flags, 0, inRoot)
	if err == unix.ENOENT && r.self != "" && flags&unix.O_NOFOLLOW == 0 { //nolint:errorlint // a bare errno
		return r.walk(walk{todo: split(unsafePath), only: true}) // which knows what /proc/self is
	}
	return fd, err
}

// target opens unsafePath inside the root for something to be mounted there. What is missing is
// made: directories, and at the end a directory or, if file is set, an empty file. created tells
// that the end was missing.
func (r *root) target(unsafePath string, file bool) (fd int, created bool, err error) {
	fd, err = r.lookup(unsafePath, 0)
	if created = err == unix.ENOENT; created { //nolint:errorlint // a bare errno
		fd, err = r.create(unsafePath, file)
	}
	if err != nil {
		return -1, false, fmt.Errorf("%w%s", err, r.blame(unsafePath, err))
	}
	return fd, created, nil
}

// targetItself is target, but opens a symbolic link at the end instead of following it.
func (r *root) targetItself(unsafePath string, file bool) (int, error) {
	fd, err := r.lookup(unsafePath, unix.O_NOFOLLOW)
	if err == unix.ENOENT { //nolint:errorlint // a bare errno
		if fd, err = r.create(unsafePath, file); err != nil {
			return -1, err
		}
		// create follows a link that somebody puts there meanwhile, so look again.
		unix.Close(fd)
		fd, err = r.lookup(unsafePath, unix.O_NOFOLLOW)
	}
	if err != nil {
		return -1, fmt.Errorf("%w%s", err, r.blame(unsafePath, err))
	}
	return fd, nil
}

// create opens unsafePath inside the root like lookup and makes what is missing, also where
// symbolic links lead to. It goes step by step, each from the directory that the one before has
// opened, so that nobody who renames or links meanwhile can make it leave the root
// (CVE-2024-45310).
func (r *root) create(unsafePath string, file bool) (int, error) {
	return r.walk(walk{todo: split(unsafePath), file: file})
}

// createParent opens the directory of unsafePath inside the root, made if it is missing.
func (r *root) createParent(unsafePath string) (dir int, name string, err error) {
	up, name := path.Split(unsafePath)
	dir, _, err = r.target(up, false)
	return dir, name, err
}

// checkTarget refuses what must not be mounted over: the root itself, which nothing would show
// under the new mount, and the inside of procfs but for the names that the plan allowed, if no
// symbolic link led there.
func (r *root) checkTarget(fd int, m *Mount) (place, error) {
	at, err := placeOf(fd)
	if err != nil {
		return at, err
	}
	if at.same(r.place) {
		return at, errors.New("the destination is the root, over which nothing can be mounted")
	}
	inProc, err := isFS(fd, unix.PROC_SUPER_MAGIC)
	if err != nil || !inProc {
		return at, err
	}
	unsafePath := m.Destination
	direct, err := linux.Openat2(r.fd, unsafePath, unix.O_PATH, 0, inRoot|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return at, fmt.Errorf("%q cannot be mounted because it is inside /proc", unsafePath)
	}
	defer unix.Close(direct)
	if now, err := placeOf(direct); err != nil || !now.same(at) {
		return at, fmt.Errorf("%q cannot be mounted because it is inside /proc", unsafePath)
	}
	return at, m.checkProc()
}

// selfLink is where the link with this name, which is open, leads if it is one of a procfs to the
// process that looks at it.
func (r *root) selfLink(name string, fd int) (target string, isLink bool, err error) {
	if r.self == "" || name != "self" && name != "thread-self" {
		return "", false, nil
	}
	if proc, err := isFS(fd, unix.PROC_SUPER_MAGIC); err != nil || !proc {
		return "", false, err
	}
	at, err := placeOf(fd)
	if err != nil || !at.isLink() {
		return "", false, err
	}
	if name == "self" {
		return r.self, true, nil
	}
	return r.self + "/task/" + r.self, true, nil
}

// chdir makes the root the working directory.
func (r *root) chdir() error {
	if err := unix.Fchdir(r.fd); err != nil {
		return fmt.Errorf("change to the root directory: %w", err)
	}
	return nil
}

// blame says which component of a path inside the root is the reason for an error, as [blameHost].
func (r *root) blame(unsafePath string, err error) string {
	return (&blame{dir: r.fd, how: inRoot}).say(unsafePath, err)
}
