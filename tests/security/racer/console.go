package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// console is the receiver of --console-socket: it takes what is sent, prints the name that comes with it and closes it.
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
	for {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err != nil {
			return err
		}
		receive(conn)
		unix.Close(conn)
	}
}

func receive(conn int) {
	name, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := unix.Recvmsg(conn, name, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		return
	}
	fmt.Println(string(name[:n]))
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return
	}
	for i := range messages {
		fds, _ := unix.ParseUnixRights(&messages[i])
		for _, f := range fds {
			unix.Close(f)
		}
	}
}
