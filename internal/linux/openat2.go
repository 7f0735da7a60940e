package linux

import "golang.org/x/sys/unix"

// maxAgain bounds the retries of Openat2. The kernel asks for one (EAGAIN) when any rename or mount
// on the machine came between its steps out of a directory; only somebody who does nothing else
// could make it ask this often.
const maxAgain = 1000

// Openat2 opens path relative to dirfd under the RESOLVE_* rules of openat2(2), close-on-exec. It
// retries when a rename elsewhere kept the kernel from proving that the path stays inside dirfd.
// Where a sandbox refuses the call, it looks the path up itself, by the same rules.
func Openat2(dirfd int, path string, flags, mode, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Mode: mode, Resolve: resolve}
	for again := 0; ; again++ {
		fd, err := unix.Openat2(dirfd, path, &how)
		switch err {
		case unix.EINTR:
			again--
		case unix.EAGAIN:
			if again == maxAgain {
				return -1, err
			}
		default:
			if refused(unix.SYS_OPENAT2, err) {
				return walkat(dirfd, path, flags, mode, resolve)
			}
			return fd, NameCall("openat2", err)
		}
	}
}
