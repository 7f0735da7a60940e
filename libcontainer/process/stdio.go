package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// OwnStdio makes the container's user the owner of what fds 0, 1 and 2 are open on, so that it can open /dev/stdout and the like
// again, as images that log to a link to it do. The group stays: for a terminal it is the one that devpts gives. It is called as
// root, before SetUser.
//
// Character devices that are no terminal, /dev/null above all, are the host's and stay as they are. So does what the kernel
// refuses: a file whose owner has no mapping in the user namespace (EPERM), a read-only mount (EROFS), or a user without mapping
// (EINVAL), of which SetUser tells.
func (p *Plan) OwnStdio() error {
	for fd := range 3 {
		if foreign, err := p.foreign(fd); err != nil {
			return err
		} else if !foreign {
			continue
		}
		err := unix.Fchown(fd, int(p.UID), -1)
		if err != nil && err != unix.EPERM && err != unix.EROFS && err != unix.EINVAL {
			return fmt.Errorf("chown fd %d to uid %d: %w", fd, p.UID, err)
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
