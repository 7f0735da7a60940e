package linux

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Memfd makes a file in memory that can be sealed, close-on-exec, see memfd_create(2). Whether it
// can be executed counts from Linux 6.3 on, where sysctl vm.memfd_noexec may forbid it (EACCES);
// before, all can be.
func Memfd(name string, executable bool) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := -1, error(unix.EINVAL)
	if executable {
		fd, err = unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	}
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	return fd, nil
}

// Fill writes all of data to a Memfd, write(2): as often as it takes, for where memory is short the
// kernel may take a part, and says only at the next one why.
func Fill(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("write %d bytes to a memfd: %w", len(data), err)
		}
		data = data[max(n, 0):]
	}
	return nil
}

// Seal keeps everybody from changing the content of a Memfd, F_ADD_SEALS in fcntl(2).
func Seal(fd int) error {
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	return err
}
