package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// Ask gets a source that only the parent can prepare with [SourceFD]: that of the i-th mount of the
// plan.
type Ask func(i int) (*os.File, error)

// FS is a container's root while init works on it. Its methods are called on init's one locked
// thread.
type FS struct {
	plan  *Plan
	ask   Ask
	umask int

	root root

	dev     int    // the root of the last tmpfs mounted on /dev, or -1
	ownNull int    // the null device that was made there, or -1
	null    int    // a detached mount of the host's null device, or -1
	late    []late // mounts that become read-only when everything is in them

	anchors []anchor // where to look protected paths up

	prepared prepared
}

// late is a mount that becomes read-only in [FS.Readonly].
type late struct {
	fd    int
	mount *Mount
}

// Open pins the container's root: it becomes a mount of its own, which later steps know by its fd.
// Before that the mount namespace is cut off from the host's, as far as the configuration doesn't
// ask for the contrary.
//
// The caller's umask is 0 until [FS.Close], so that modes are exact. The files come from [Prepare].
func Open(p *Plan, ask Ask, files ...*os.File) (*FS, error) {
	if len(files) != len(p.Prepared) {
		return nil, fmt.Errorf("%d prepared mounts for %d", len(files), len(p.Prepared))
	}
	f := &FS{plan: p, ask: ask, prepared: prepared{p.Prepared, files}, root: root{fd: -1}, dev: -1, ownNull: -1, null: -1}
	if p.MountNS {
		if err := f.isolate(); err != nil {
			return nil, err
		}
	}
	if err := f.pin(); err != nil {
		return nil, err
	}
	f.umask = unix.Umask(0)
	return f, nil
}

// Close gives up what FS holds and restores the umask.
func (f *FS) Close() {
	for _, fd := range []int{f.root.fd, f.dev, f.ownNull, f.null} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	f.closeLate()
	f.prepared.close()
	for _, a := range f.anchors {
		unix.Close(a.fd)
	}
	f.root.fd, f.dev, f.ownNull, f.null, f.anchors = -1, -1, -1, -1, nil
	unix.Umask(f.umask)
}

func (f *FS) closeLate() {
	for _, l := range f.late {
		unix.Close(l.fd)
	}
	f.late = nil
}

// shared tells that the configuration wants mounts to propagate to the host.
func (p *Plan) shared() bool { return p.Propagation&unix.MS_SHARED != 0 }

// isolate changes what the namespace has in common with the host's. Mounts of the host still arrive
// (slave), so that a volume that is unmounted there isn't kept busy here, and none go out.
// rootfsPropagation shared leaves the way out open for volumes whose options want it.
func (f *FS) isolate() error {
	flags := uintptr(unix.MS_SLAVE | unix.MS_REC)
	switch p := f.plan.Propagation; {
	case f.plan.shared():
		flags = uintptr(p)
	case p == unix.MS_PRIVATE|unix.MS_REC, p == unix.MS_UNBINDABLE|unix.MS_REC:
		flags = unix.MS_PRIVATE | unix.MS_REC
	}
	if err := unix.Mount("", "/", "", flags, ""); err != nil {
		return fmt.Errorf("change the propagation of %q: %w%s", "/", linux.NameCall("mount", err), whyNoMount("/", err))
	}
	if !f.plan.shared() {
		return nil
	}
	// The root must not propagate to the host either, and pivot_root(2) wants its parent not to be
	// shared.
	return isolateMountOf(f.plan.Root)
}

// whyNoMount explains EINVAL of a change of a mount at a path that is none's root.
func whyNoMount(p string, err error) string {
	var st unix.Statx_t
	if !errors.Is(err, unix.EINVAL) || unix.Statx(unix.AT_FDCWD, p, 0, unix.STATX_INO, &st) != nil ||
		st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 || st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return ""
	}
	return " (the runtime's own root is not a mount point, as after chroot: bind-mount it on itself and chroot there)"
}

// isolateMountOf makes the mount private that a host path lies on. Only the root of a mount can be
// changed, so it goes up until it finds it.
func isolateMountOf(dir string) error {
	for {
		err := unix.Mount("", dir, "", unix.MS_PRIVATE, "")
		if err == nil {
			return nil
		}
		if err != unix.EINVAL || dir == "/" {
			return fmt.Errorf("change the propagation of %q: %w", dir, linux.NameCall("mount", err))
		}
		dir = filepath.Dir(dir)
	}
}

// pin makes the root a mount, attached where it lies, so that hooks find the container's mounts
// below it.
func (f *FS) pin() error {
	rootPath := f.plan.Root
	at, err := linux.OpenTree(unix.AT_FDCWD, rootPath, 0)
	if err != nil {
		return fmt.Errorf("open root %q: %w%s", rootPath, err, blameHost(rootPath, err))
	}
	defer unix.Close(at)
	const clone = unix.OPEN_TREE_CLONE | unix.AT_RECURSIVE | unix.AT_EMPTY_PATH
	root, found := f.prepared.take(rootIndex)
	if !found {
		root, err = linux.OpenTree(at, "", clone)
	}
	if err == unix.EINVAL && f.plan.MountNS { //nolint:errorlint // a bare errno
		// It lies on an unbindable mount, as in a container whose own root is one.
		if err = isolateMountOf(rootPath); err == nil {
			root, err = linux.OpenTree(at, "", clone)
		}
	}
	if err != nil {
		return fmt.Errorf("clone root %q: %w", rootPath, err)
	}
	if f.root.place, err = f.settle(root, at); err != nil {
		unix.Close(root)
		return fmt.Errorf("mount root %q: %w", rootPath, err)
	}
	f.root.fd = root
	return nil
}

// settle gives the root's mount its propagation and attaches it. A slave stays the slave of what
// the host has there.
func (f *FS) settle(root, at int) (place, error) {
	here, err := placeOf(root)
	if err != nil {
		return here, err
	}
	if !here.isDir() {
		return here, fmt.Errorf("%w (it is %s)", unix.ENOTDIR, kindOf(here.mode))
	}
	if f.plan.Propagation&unix.MS_SLAVE == 0 {
		if err := linux.MountSetattr(root, 0, &unix.MountAttr{Propagation: unix.MS_PRIVATE}); err != nil {
			return here, fmt.Errorf("make it private: %w", err)
		}
	}
	if err := linux.MoveMount(root, at); err != nil {
		return here, err
	}
	return placeOf(root)
}

// Chdir makes the container's root the working directory, before [FS.Pivot] too.
func (f *FS) Chdir() error { return f.root.chdir() }
