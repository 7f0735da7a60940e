package seccomp

import (
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/oncejson"
	"oci-run/libcontainer/internal/fdsocket"
)

// agentPatience bounds the wait for an agent that does not accept the connection or does not read
// from it.
const agentPatience = 10 * time.Second

// SendListener hands a listener to the agent at path, with the state of the container process,
// whose Fds it fills in. As config-linux.md wants it (listenerPath), that takes a connection of its
// own to a unix stream socket, with the descriptor in the first message. A path that starts with @
// is one in the abstract namespace. The caller keeps listenerFD, and closes it afterwards: if the
// agent dies then, the container's calls fail with ENOSYS instead of waiting for ever.
func SendListener(path string, listenerFD int, state *specs.ContainerProcessState) error {
	sent := *state
	sent.Fds = []string{specs.SeccompFdName}
	message, err := oncejson.Encode(&sent)
	if err != nil {
		return fmt.Errorf("encode the state for the seccomp agent: %w", err)
	}
	socket, err := dialAgent(path)
	if err != nil {
		// The first words are those that runc's users and tests look for.
		return fmt.Errorf("failed to connect with seccomp agent %q: %w", path, err)
	}
	defer unix.Close(socket)
	rights := unix.UnixRights(listenerFD)
	for len(message) > 0 {
		n, err := unix.SendmsgN(socket, message, rights, nil, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return fmt.Errorf("send the listener to seccomp agent %q: it has not read for %v", path, agentPatience)
		case err != nil:
			return fmt.Errorf("send the listener to seccomp agent %q: %w", path, err)
		}
		message, rights = message[n:], nil
	}
	return nil
}

// dialAgent connects to a stream socket, as [fdsocket.Connect].
func dialAgent(path string) (socket int, err error) {
	socket, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	defer func() {
		if err != nil {
			unix.Close(socket)
		}
	}()
	patience := unix.NsecToTimeval(agentPatience.Nanoseconds())
	if err = unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience); err != nil {
		return -1, fmt.Errorf("setsockopt SO_SNDTIMEO: %w", err)
	}
	return socket, fdsocket.Connect(socket, path)
}
