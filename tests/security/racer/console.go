package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// console is the receiver of --console-socket: it takes what is sent, prints the name that comes
// with it, and holds the terminal for a while: who closes it at once hangs up on the process that
// gets it.
func console(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return fmt.Errorf("bind %q: %w", path, err)
	}
	if err := unix.Listen(fd, 16); err != nil {
		return err
	}
	var held []int
	for {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err != nil {
			return err
		}
		held = append(held, receive(conn)...)
		unix.Close(conn)
		for len(held) > 4 {
			unix.Close(held[0])
			held = held[1:]
		}
	}
}

func receive(conn int) (fds []int) {
	name, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := unix.Recvmsg(conn, name, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		return nil
	}
	fmt.Println(string(name[:n]))
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil
	}
	for i := range messages {
		some, _ := unix.ParseUnixRights(&messages[i])
		fds = append(fds, some...)
	}
	return fds
}
