package rootfs

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/specconv"
)

// kept is what the mounts of the configuration leave to later steps. [mounter] fills it as it goes
// along; [FS.Devices] asks whether /dev is its own, [FS.Readonly] calls readonly, [protector] calls
// open. It lives until [FS.Close].
type kept struct {
	dev     int      // the root of the last tmpfs mounted on /dev, or -1
	late    []late   // what becomes read-only when everything is in it
	anchors []anchor // where to look protected paths up
}

// late is a mount that was to stay writable.
type late struct {
	fd    int
	mount *Mount
}

// anchored are the mounts that most protected paths are in.
var anchored = [...]string{"/proc", "/sys"}

// anchor is the root of a mount that was made at one of these places.
type anchor struct {
	path string
	fd   int
}

// addDev remembers the root of a tmpfs that was mounted on /dev.
func (k *kept) addDev(fd int) {
	closeAll(&k.dev)
	if own, err := dup(fd); err == nil {
		k.dev = own
	}
}

// isDev tells that a place is the root of that tmpfs: nobody but init has ever seen it.
func (k *kept) isDev(at place) bool {
	if k.dev < 0 {
		return false
	}
	known, err := placeOf(k.dev)
	return err == nil && known.same(at)
}

// addAnchor remembers what was mounted at a place, until something else is mounted there.
func (k *kept) addAnchor(fd int, m *Mount) error {
	if !slices.Contains(anchored[:], m.Destination) {
		return nil
	}
	own, err := dup(fd)
	if err != nil {
		return err
	}
	k.anchors = append(k.anchors, anchor{m.Destination, own})
	return nil
}

// open opens a path that is to be protected. What is in /proc and /sys is looked up from there, not
// from the root: who can write to the root could have renamed the mount's place for a moment, and
// the path would seem to be missing, which means that it needs no protection (a race of the kind of
// CVE-2019-19921).
func (k *kept) open(r *root, unsafePath string) (int, error) {
	for _, a := range slices.Backward(k.anchors) {
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
	return r.lookup(unsafePath, 0)
}

// readonly makes the late mounts read-only.
func (k *kept) readonly() error {
	for _, l := range k.late {
		if l.mount.Attr.Set&unix.MS_RDONLY == 0 {
			continue
		}
		if err := linux.MountSetattr(l.fd, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return specconv.Field(l.mount.pointer(), fmt.Errorf("make %q read-only: %w", l.mount.Destination, err))
		}
	}
	return nil
}

func (k *kept) close() {
	closeAll(&k.dev)
	for _, l := range k.late {
		unix.Close(l.fd)
	}
	for _, a := range k.anchors {
		unix.Close(a.fd)
	}
	*k = kept{dev: -1}
}
