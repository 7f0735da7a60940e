// Package files opens, reads and writes files in as few system calls as that takes: package os has
// its runtime poller look at each descriptor.
package files

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Open opens a file, close-on-exec, that is not a pipe, socket or terminal. os.OpenFile finds out
// whether the runtime could wait for the file by epoll(7), which takes five more system calls for
// each file, and an epoll instance for the first. For the same reason O_NONBLOCK is for the open
// alone.
func Open(path string, flags int, mode os.FileMode) (*os.File, error) {
	fd, err := open(path, flags, mode)
	if err != nil {
		return nil, err
	}
	if flags&unix.O_NONBLOCK != 0 {
		if err := unix.SetNonblock(fd, false); err != nil {
			unix.Close(fd)
			return nil, &fs.PathError{Op: "fcntl", Path: path, Err: err}
		}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func open(path string, flags int, mode os.FileMode) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_LARGEFILE, uint32(mode.Perm()))
		switch {
		case err == nil:
			return fd, nil
		case !errors.Is(err, unix.EINTR):
			return -1, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// Reopen opens what the descriptor fd of O_PATH stands for, close-on-exec. It takes the /proc of
// the calling thread's root, which must not be a container's.
func Reopen(fd, flags int) (int, error) {
	for {
		opened, err := unix.Open("/proc/thread-self/fd/"+strconv.Itoa(fd), flags|unix.O_CLOEXEC|unix.O_LARGEFILE, 0)
		if !errors.Is(err, unix.EINTR) {
			return opened, err
		}
	}
}

// Read reads a whole file, as os.ReadFile does. It is for small ones that Open is for.
func Read(path string) ([]byte, error) {
	fd, err := open(path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return ReadFD(fd, path)
}

// ReadFD reads a file from where its descriptor stands to its end. Errors name the path.
func ReadFD(fd int, path string) ([]byte, error) {
	data := make([]byte, 0, 512) // most files are smaller, and share a page of the heap then
	for {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return data, nil
		default:
			data = data[:len(data)+n]
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, 7*len(data))
		}
	}
}

// Write writes a whole file, as os.WriteFile does, in as few system calls as that takes.
func Write(path string, data []byte, mode os.FileMode) error {
	fd, err := open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, mode)
	if err != nil {
		return err
	}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil && !errors.Is(err, unix.EINTR) {
			unix.Close(fd)
			return &fs.PathError{Op: "write", Path: path, Err: err}
		}
		data = data[max(n, 0):]
	}
	if err := unix.Close(fd); err != nil {
		return &fs.PathError{Op: "close", Path: path, Err: err}
	}
	return nil
}

// Rename is os.Rename for files, without a look at what is there before.
func Rename(from, to string) error {
	if err := unix.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
