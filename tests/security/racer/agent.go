package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// agent is a seccomp agent: it accepts one connection after the other, prints the container of
// each, and does with the listener what the manner says:
//
//	answer    let each call fail with ENOMEDIUM
//	continue  let each call through
//	hold      keep the listener and never answer
//	die       end as soon as it has the listener
//	refuse    end as soon as it is connected to
//	deaf      never accept a connection
func agent(path, manner string) error {
	runtime.LockOSThread() // for the signal
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_PDEATHSIG: %w", err)
	}
	if err := unix.Bind(socket, &unix.SockaddrUnix{Name: path}); err != nil {
		return fmt.Errorf("bind %q: %w", path, err)
	}
	if err := unix.Listen(socket, 8); err != nil {
		return fmt.Errorf("listen on %q: %w", path, err)
	}
	if manner == "deaf" {
		return pause()
	}
	for {
		connection, _, err := unix.Accept4(socket, unix.SOCK_CLOEXEC)
		if err != nil {
			return err
		}
		if manner == "refuse" {
			return nil
		}
		listener, err := receiveListener(connection)
		if err != nil {
			return err
		}
		if manner == "die" {
			return nil
		}
		go serve(listener, manner)
	}
}

// receiveListener takes a listener and prints what the runtime says of its container.
func receiveListener(connection int) (listener int, err error) {
	defer unix.Close(connection)
	message, control := make([]byte, 1<<20), make([]byte, unix.CmsgSpace(4))
	n, controlled, _, _, err := unix.Recvmsg(connection, message, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("receive the listener: %w", err)
	}
	parts, err := unix.ParseSocketControlMessage(control[:controlled])
	if err != nil || len(parts) != 1 {
		return -1, fmt.Errorf("receive the listener: %d control messages, %w", len(parts), err)
	}
	fds, err := unix.ParseUnixRights(&parts[0])
	if err != nil {
		return -1, fmt.Errorf("receive the listener: %w", err)
	}
	state := struct {
		Metadata string
		Fds      []string
		State    struct{ ID, Status string }
	}{}
	if err := json.Unmarshal(message[:n], &state); err != nil {
		return -1, fmt.Errorf("read the state: %w", err)
	}
	fmt.Println(state.State.ID, state.State.Status, state.Metadata, state.Fds)
	return fds[0], nil
}

// notification and response are struct seccomp_notif and seccomp_notif_resp (linux/seccomp.h).
type notification struct {
	id         uint64
	pid, flags uint32
	data       [64]byte
}

type response struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// userNotifFlagContinue is SECCOMP_USER_NOTIF_FLAG_CONTINUE.
const userNotifFlagContinue = 1

func serve(listener int, manner string) {
	if manner == "hold" {
		return
	}
	for {
		var n notification
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n)))
		if errors.Is(errno, unix.ENOENT) || errors.Is(errno, unix.EINTR) {
			continue // the caller has been killed, or us a signal was sent
		}
		if errno != 0 {
			unix.Close(listener)
			return
		}
		r := response{id: n.id, errno: -int32(unix.ENOMEDIUM)}
		if manner == "continue" {
			r.errno, r.flags = 0, userNotifFlagContinue
		}
		unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r)))
	}
}

// pause waits for a signal.
func pause() error {
	_, err := unix.Poll(nil, -1)
	return err
}
