// Package sdnotify connects a container with the service manager that its command runs
// under: it relays readiness from a socket in the container to $NOTIFY_SOCKET
// (sd_notify(3)), and hands on listening sockets (sd_listen_fds(3)).
//
// The lifecycle calls AddTo before it plans the container, MakeDir when the container has
// its directory, Listen right before the program starts and Forward right after.
package sdnotify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Variable is the name of the environment variable with the address of the manager's
// socket, and of the one with the address of ours in the container.
const Variable = "NOTIFY_SOCKET"

// The socket, in a directory of its own, because a socket that does not exist yet can't be
// mounted.
const (
	socketName   = "notify.sock"
	containerDir = "/run/notify"
	// longest bounds a message; systemd's own limit is the same.
	longest = 4096
)

// Dir is the directory of the socket within the container's state directory.
func Dir(stateDir string) string { return filepath.Join(stateDir, "notify") }

// AddTo gives the container the socket: a mount of its directory, and the variable.
func AddTo(spec *specs.Spec, dir string) {
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: containerDir, Source: dir, Type: "bind", Options: []string{"bind", "nosuid", "noexec", "nodev", "ro"},
	})
	spec.Process.Env = append(spec.Process.Env, Variable+"="+containerDir+"/"+socketName)
}

// MakeDir makes the directory. Every user of the container may look into it.
func MakeDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755) // whatever the umask
}

// Socket is the one that the container's processes send to.
type Socket struct{ f *os.File }

// Listen makes the socket in a directory of MakeDir. It returns nil if there is no such
// directory: the container was created without a service manager.
func Listen(dir string) (*Socket, error) {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no socket is not an error
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	s := &Socket{os.NewFile(uintptr(fd), filepath.Join(dir, socketName))}
	// By the directory's descriptor: the path may be longer than an address.
	name := "/proc/self/fd/" + strconv.Itoa(int(d.Fd())) + "/" + socketName
	if err = os.Remove(name); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
	}
	if err == nil {
		err = os.Chmod(name, 0o777)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("bind %q: %w", s.f.Name(), err)
	}
	return s, nil
}

// Close gives the socket up.
func (s *Socket) Close() { s.f.Close() }

// receive waits for the next message. It is nil when the process of pidfd has ended and
// nothing is left that it sent.
func (s *Socket) receive(pidfd *os.File) ([]byte, error) {
	buf := make([]byte, longest)
	for ended := false; ; {
		n, _, err := unix.Recvfrom(int(s.f.Fd()), buf, unix.MSG_DONTWAIT)
		switch {
		case err == nil:
			return buf[:n], nil
		case err == unix.EINTR:
			continue
		case err != unix.EAGAIN:
			return nil, fmt.Errorf("receive from %q: %w", s.f.Name(), err)
		case ended:
			return nil, nil
		}
		fds := []unix.PollFd{{Fd: int32(s.f.Fd()), Events: unix.POLLIN}, {Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return nil, fmt.Errorf("poll: %w", err)
		}
		ended = fds[1].Revents != 0
	}
}
