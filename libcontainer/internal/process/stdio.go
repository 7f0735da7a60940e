package process

import (
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
)

// AddStdio makes the container's user the owner of what fds 0, 1 and 2 are open on, so that it can
// open /dev/stdout and the like again, as images that log to a link to it do. The group stays: for
// a terminal it is the one that devpts gives. It comes before AddUser. The process has the caller's
// fds 0, 1 and 2.
//
// Character devices that are not a terminal, /dev/null above all, are the host's and stay as they
// are. So does what the kernel refuses: a file whose owner has no mapping in the user namespace
// (EPERM), a read-only mount (EROFS), or a user without mapping (EINVAL), of which AddUser tells.
func (p *Plan) AddStdio(l *calls.List) error {
	for fd := range 3 {
		foreign, err := p.foreign(fd)
		if err != nil {
			return err
		}
		if foreign {
			own := l.Do(unix.SYS_FCHOWN, uintptr(fd), uintptr(p.UID), ^uintptr(0)).Or("chown fd %d to uid %d", fd, p.UID)
			own.Expect = []unix.Errno{unix.EPERM, unix.EROFS, unix.EINVAL}
		}
	}
	return nil
}

// foreign tells whether what fd is open on is to change its owner.
func (p *Plan) foreign(fd int) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, fmt.Errorf("fstat fd %d: %w", fd, err)
	}
	return st.Uid != p.UID && (st.Mode&unix.S_IFMT != unix.S_IFCHR || isTerminal(fd)), nil
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}
