package rootfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/linux"
)

// Console shows a pseudo-terminal at /dev/console: pty is its slave's end, opened from the
// container's devpts. What is mounted is the inode behind the fd, not a name in /dev/pts, which the
// image or a volume could have filled (CVE-2025-52565). After [FS.Pivot], before [FS.Readonly].
func (f *FS) Console(pty *os.File) error {
	if err := mountConsole(&f.root, int(pty.Fd())); err != nil {
		return fmt.Errorf("mount the terminal on %q: %w", "/dev/console", err)
	}
	return nil
}

func mountConsole(r *root, pty int) error {
	if err := checkPty(pty); err != nil {
		return err
	}
	dir, name, err := r.createParent("/dev/console")
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	target, err := openNodeTarget(dir, name)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	source, err := linux.OpenTree(pty, "", unix.OPEN_TREE_CLONE|unix.AT_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("clone: %w", err)
	}
	defer unix.Close(source)
	return attach(source, target)
}

// checkPty makes sure that an fd is the slave's end of a pseudo-terminal.
func checkPty(fd int) error {
	at, err := placeOf(fd)
	if err != nil {
		return err
	}
	devpts, err := isFS(fd, unix.DEVPTS_SUPER_MAGIC)
	if err != nil {
		return err
	}
	const firstMajor, lastMajor = 136, 143 // UNIX98_PTY_SLAVE_MAJOR
	if major := unix.Major(at.rdev); !devpts || at.format() != unix.S_IFCHR || major < firstMajor || major > lastMajor {
		return fmt.Errorf("it is not a pseudo-terminal: %s, device %d:%d", kindOf(at.mode), major, unix.Minor(at.rdev))
	}
	return nil
}

// StdioNull opens the container's /dev/null, and tells which of the fds 0, 1 and 2 are the host's,
// whose place it is to take. It is nil if none is. Before [FS.Pivot], for the device is opened with
// the host's procfs.
func (f *FS) StdioNull() (null *os.File, fds []int, err error) {
	if !f.plan.SetupDev {
		return nil, nil, nil
	}
	for fd := range 3 {
		if isNull(fd) {
			fds = append(fds, fd)
		}
	}
	if len(fds) == 0 {
		return nil, nil, nil
	}
	fd, err := openNull(&f.root)
	if err != nil {
		return nil, nil, fmt.Errorf("open %q: %w", "/dev/null", err)
	}
	return os.NewFile(uintptr(fd), "/dev/null"), fds, nil
}

// openNull opens the container's /dev/null, and nothing that somebody has put in its place.
func openNull(r *root) (int, error) {
	place, err := r.lookup(nullDevice, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(place)
	if !isNull(place) {
		return -1, errors.New("it is not the null device")
	}
	return files.Reopen(place, unix.O_RDWR|unix.O_NOCTTY)
}

func isNull(fd int) bool {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && uint64(st.Rdev) == unix.Mkdev(1, 3) // differs by architecture
}
