package linux

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// spare is how many descriptors other threads may open between [Descriptors] and a fork: the lowest
// free ones.
const spare = 64

// Descriptors lists the descriptors from first on that a child forked soon may have, for where
// close_range(2) is refused: those that are open, and the next ones that will be.
func Descriptors(first int) (list []int) {
	open := openDescriptors()
	count := len(open)
	for fd := first; fd < count+spare; fd++ {
		list = append(list, fd)
	}
	for _, fd := range open {
		if fd >= first && fd >= count+spare {
			list = append(list, fd)
		}
	}
	return list
}

func openDescriptors() (open []int) {
	if names, err := os.ReadDir("/proc/self/fd"); err == nil {
		for _, name := range names {
			if fd, err := strconv.Atoi(name.Name()); err == nil {
				open = append(open, fd)
			}
		}
		return open
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		limit.Max = 1 << 20 // fs.nr_open, usually
	}
	for fd := range int(min(limit.Max, 1<<20)) {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			open = append(open, fd)
		}
	}
	return open
}
