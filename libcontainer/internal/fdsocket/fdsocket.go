// Package fdsocket hands a file descriptor over a unix stream socket, in the form that
// engines expect of --console-socket and --pidfd-socket: one message whose payload is a
// name and which carries exactly one descriptor as SCM_RIGHTS (unix(7)).
package fdsocket

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxName bounds the payload. Engines refuse 4096 bytes and more.
const maxName = 4095

// maxAddress is the longest path in a socket address; one byte of sun_path ends it.
const maxAddress = 107

// Dial connects to the stream socket at path, as [Connect].
func Dial(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := Connect(fd, path); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect to %q: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Connect connects a socket to the one at path, or with "@" to an abstract name (unix(7)). The path
// may be longer than an address can hold (108 bytes).
func Connect(socket int, path string) error {
	address := path
	if len(path) > maxAddress && path[0] != '@' {
		// An O_PATH descriptor's link in /proc names the socket itself.
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		address = "/proc/self/fd/" + strconv.Itoa(fd)
	}
	return retry(func() error { return unix.Connect(socket, &unix.SockaddrUnix{Name: address}) })
}

// Pair makes two connected ends.
func Pair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "fdsocket"), os.NewFile(uintptr(fds[1]), "fdsocket"), nil
}

// Send hands over f under a name of 1 to 4095 bytes.
func Send(socket *os.File, name string, f *os.File) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("send a descriptor: name of %d bytes", len(name))
	}
	rights := unix.UnixRights(int(f.Fd()))
	err := retry(func() error {
		return unix.Sendmsg(int(socket.Fd()), []byte(name), rights, nil, unix.MSG_NOSIGNAL)
	})
	if err != nil {
		return fmt.Errorf("send %q over %q: %w", name, socket.Name(), err)
	}
	return nil
}

// SendByte sends one byte, whose value means nothing, with f unless that is nil.
func SendByte(socket, f *os.File) error {
	var rights []byte
	if f != nil {
		rights = unix.UnixRights(int(f.Fd()))
	}
	return retry(func() error {
		return unix.Sendmsg(int(socket.Fd()), []byte{1}, rights, nil, unix.MSG_NOSIGNAL)
	})
}

// ReceiveAll waits for size bytes, which are sent at once, and for all the descriptors that come
// with them.
func ReceiveAll(socket *os.File, size int) (data []byte, files []*os.File, err error) {
	data = make([]byte, size)
	rights := make([]byte, unix.CmsgSpace(4*253)) // SCM_MAX_FD of the kernel
	var n, nr, flags int
	err = retry(func() (err error) {
		n, nr, flags, _, err = unix.Recvmsg(int(socket.Fd()), data, rights, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if errors.Is(err, unix.ECONNRESET) {
		return nil, nil, ErrClosed
	}
	if err != nil {
		return nil, nil, fmt.Errorf("receive descriptors: %w", err)
	}
	fds, err := parse(rights[:nr])
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "received"))
	}
	switch {
	case err != nil:
	case n == 0 && len(files) == 0:
		err = ErrClosed
	case n != size || flags&unix.MSG_CTRUNC != 0:
		err = fmt.Errorf("receive descriptors: %d bytes came instead of %d", n, size)
	default:
		return data, files, nil
	}
	for _, f := range files {
		f.Close()
	}
	return nil, nil, err
}

// SendTo connects to the socket at path and hands over f.
func SendTo(path string, f *os.File) error {
	socket, err := Dial(path)
	if err != nil {
		return err
	}
	defer socket.Close()
	return Send(socket, f.Name(), f)
}

// ErrClosed says that the other end closed the socket without sending anything.
var ErrClosed = errors.New("the other end closed the socket")

// Receive waits for one descriptor. The file bears the name that came with it.
func Receive(socket *os.File) (*os.File, error) {
	name := make([]byte, maxName+1)
	rights := make([]byte, unix.CmsgSpace(4))
	var n, nr, flags int
	err := retry(func() (err error) {
		n, nr, flags, _, err = unix.Recvmsg(int(socket.Fd()), name, rights, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("receive a descriptor: %w", err)
	}
	fds, err := parse(rights[:nr])
	switch {
	case err != nil:
	case n == 0 && len(fds) == 0:
		err = ErrClosed
	case len(fds) != 1 || flags&unix.MSG_CTRUNC != 0:
		err = errors.New("not exactly one came")
	case n > maxName:
		err = errors.New("its name is too long")
	default:
		return os.NewFile(uintptr(fds[0]), string(name[:n])), nil
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	return nil, fmt.Errorf("receive a descriptor: %w", err)
}

// parse lists the descriptors of all SCM_RIGHTS messages.
func parse(rights []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	var all []int
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return all, err
		}
		all = append(all, fds...)
	}
	return all, nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // a bare errno
			return err
		}
	}
}
