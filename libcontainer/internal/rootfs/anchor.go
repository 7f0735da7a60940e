package rootfs

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// anchored are the mounts that most protected paths are in.
var anchored = [...]string{"/proc", "/sys"}

// anchor is the root of a mount that was made at one of these places.
type anchor struct {
	path string
	fd   int
}

// keepAnchor remembers what was mounted at a place, until something else is mounted there.
func (f *FS) keepAnchor(fd int, m *Mount) error {
	if !slices.Contains(anchored[:], m.Destination) {
		return nil
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return err
	}
	f.anchors = append(f.anchors, anchor{m.Destination, dup})
	return nil
}

// protected opens a path that is to be protected. What is in /proc and /sys is looked up from
// there, not from the root: who can write to the root could have renamed the mount's place for a
// moment, and the path would seem to be missing, which means that it needs no protection (a race of
// the kind of CVE-2019-19921).
func (f *FS) protected(unsafePath string) (int, error) {
	for _, a := range slices.Backward(f.anchors) {
		inside, found := strings.CutPrefix(unsafePath, a.path+"/")
		if !found {
			continue
		}
		fd, err := linux.Openat2(a.fd, inside, unix.O_PATH, 0, inRoot)
		if !missing(err) {
			return fd, err
		}
		break // or a link leads out of this mount
	}
	return f.root.lookup(unsafePath, 0)
}
