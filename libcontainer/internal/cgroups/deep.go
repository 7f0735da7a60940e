package cgroups

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// longPath is from where on a path may not have room for another name (NAME_MAX) and a file in it
// (PATH_MAX).
const longPath = 3072

// shorten gives a path to a directory that has room for what is below. A container that may make
// cgroups can nest them deeper than a path can name; they could not be removed then.
func shorten(dir string) (short string, done func(), err error) {
	if len(dir) < longPath {
		return dir, func() {}, nil
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &fileError{Op: "open", Path: dir, Err: err}
	}
	return "/proc/self/fd/" + strconv.Itoa(fd), func() { unix.Close(fd) }, nil
}
