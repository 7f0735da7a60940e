package state

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
)

// Reclaim gives a container's directory, which must be the caller's, the mode that [Reserve] makes
// it with, and returns the one that it had. What is in the directory keeps its modes, and so does
// what a link of that name leads to.
func Reclaim(root, id string) (mode fs.FileMode, err error) {
	if err := checkID(id); err != nil {
		return 0, err
	}
	path := filepath.Join(root, id)
	dir, err := files.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return 0, &fs.PathError{Op: "fstat", Path: path, Err: err}
	}
	mode = fs.FileMode(st.Mode & 0o7777)
	if int(st.Uid) != os.Geteuid() || mode&0o700 == 0o700 {
		return mode, fmt.Errorf("it has mode %04o and belongs to uid %d", mode, st.Uid)
	}
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(int(dir.Fd())), 0o700); err != nil {
		return mode, &fs.PathError{Op: "chmod", Path: path, Err: err}
	}
	return mode, nil
}
