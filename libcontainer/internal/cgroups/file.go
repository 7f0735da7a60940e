package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// fileError is the kernel's refusal of a cgroup file: which file, what was written to it, why.
type fileError struct {
	Op    string // open, read, write, mkdir, rmdir …
	Path  string
	Value string // what was written; empty for other operations
	Err   error  // the errno
}

func (e *fileError) Error() string {
	if e.Op == "write" {
		return fmt.Sprintf("write %q to %q: %v", e.Value, e.Path, e.Err)
	}
	return fmt.Sprintf("%s %q: %v", e.Op, e.Path, e.Err)
}

// Unwrap gives the errno.
func (e *fileError) Unwrap() error { return e.Err }

// openFile opens a file of a cgroup with openat(2); dir may be a directory's fd or AT_FDCWD.
func openFile(dir int, path string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, path, flags|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR {
			return -1, &fileError{Op: "open", Path: path, Err: err}
		}
	}
}

// writeFile gives value to a cgroup file in one write(2), as the kernel wants it.
func writeFile(path, value string) error {
	fd, err := openFile(unix.AT_FDCWD, path, unix.O_WRONLY)
	if err != nil {
		err.(*fileError).Op, err.(*fileError).Value = "write", value //nolint:errorlint // made in openFile
		return err
	}
	defer unix.Close(fd)
	return writeFD(fd, path, value)
}

func writeFD(fd int, path, value string) error {
	for {
		_, err := unix.Write(fd, []byte(value))
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &fileError{Op: "write", Path: path, Value: value, Err: err}
		}
	}
}

// readFile gives a cgroup file's content without the white space at its end.
func readFile(path string) (string, error) {
	fd, err := openFile(unix.AT_FDCWD, path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return readFD(fd, path)
}

func readFD(fd int, path string) (string, error) {
	buf, n := make([]byte, 4096), 0
	for {
		k, err := unix.Read(fd, buf[n:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return "", &fileError{Op: "read", Path: path, Err: err}
		case k == 0:
			return strings.TrimRight(string(buf[:n]), " \n\t"), nil
		}
		if n += k; n == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

// gone tells whether err means that the cgroup doesn't exist, or no longer does. Below a cgroup's
// file (ENOTDIR) there is none: a cgroupsPath may lead there.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOTDIR)
}

// denied tells whether err means that the caller may not change cgroups: for an unprivileged one a
// read-only mount is the same as a missing permission.
func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS)
}
