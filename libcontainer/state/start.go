package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
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

func (d *Dir) startAddress() string {
	return "/proc/self/fd/" + strconv.Itoa(int(d.dir.Fd())) + "/" + startName
}
