package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
)

// The start channel is a listening unix socket in the container's directory, held by the
// init process. It stands exactly as long as the container can still be started: start
// connects, removes the name, and only then says go. So its existence is the difference
// between created and running, whoever gets killed in between.

// ListenStart makes the start channel and returns its listening end.
func (d *Dir) ListenStart() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), startName)
	// A root directory may have a longer path than a socket address can hold (107
	// bytes); the open directory never has.
	addr := &unix.SockaddrUnix{Name: d.startAddress()}
	if err := unix.Bind(fd, addr); err != nil {
		f.Close()
		return nil, fmt.Errorf("bind %q: %w", startName, err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		f.Close()
		return nil, fmt.Errorf("listen %q: %w", startName, err)
	}
	return f, nil
}

// DialStart connects to the start channel.
func (d *Dir) DialStart() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: d.startAddress()}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect %q: %w", startName, err)
	}
	return os.NewFile(uintptr(fd), startName), nil
}

// CloseStart removes the start channel's name: from here on the container counts as
// started.
func (d *Dir) CloseStart() error {
	return os.Remove(filepath.Join(d.path, startName))
}

// Startable tells whether the container waits for its start.
func (d *Dir) Startable() (bool, error) {
	info, err := os.Lstat(filepath.Join(d.path, startName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		err = fmt.Errorf("%q is not a socket", filepath.Join(d.path, startName))
	}
	return err == nil, err
}

// HoldStart makes a file that stays locked as long as it is open anywhere: init has it from its
// creation to the execution of its program, so that its startContainer hooks can be seen to run.
func (d *Dir) HoldStart() (*os.File, error) {
	path := filepath.Join(d.path, hooksName)
	f, err := files.Open(path, unix.O_RDONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	return f, nil
}

// Starting tells whether the file of HoldStart is still open.
func (d *Dir) Starting() (bool, error) {
	fd, err := d.openFile(hooksName)
	if err == unix.ENOENT { //nolint:errorlint // a bare errno
		return false, nil
	}
	if err == nil {
		defer unix.Close(fd)
		err = unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB)
	}
	if err == unix.EWOULDBLOCK { //nolint:errorlint // a bare errno
		return true, nil
	}
	if err != nil {
		err = fmt.Errorf("lock %q: %w", filepath.Join(d.path, hooksName), err)
	}
	return false, err
}

func (d *Dir) startAddress() string {
	return "/proc/self/fd/" + strconv.Itoa(int(d.dir.Fd())) + "/" + startName
}
