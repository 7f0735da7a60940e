package linux

import "golang.org/x/sys/unix"

// OpenPtyPeer opens the other end of the pty whose master is given, with flags of
// open(2). No path is looked up (TIOCGPTPEER, Linux 4.13, ioctl_tty(2)).
func OpenPtyPeer(master, flags int) (int, error) {
	for {
		fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, uintptr(flags))
		if errno == 0 {
			return int(fd), nil
		}
		if errno != unix.EINTR {
			return -1, errno
		}
	}
}
