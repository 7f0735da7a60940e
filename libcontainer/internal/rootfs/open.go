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

// FS is a container's root while init works on it. It holds what outlives a step. What a step needs
// for itself is in a value of a type of its own, which is lent what it needs of FS and ends with
// the step, so that whoever reads one step needs to know no other:
//
//	Open           isolate, pin    opens root, from prepared if it is there
//	Supply                         fills prepared, if the process is a list of calls
//	Mounts         mounter         looks up in root, takes from prepared, fills kept
//	Devices        deviceMaker     looks up in root, asks kept for /dev, fills null
//	StdioNull                      looks up in root
//	Pivot          root            becomes "/"; null gets the host's node unless it has one
//	Console                        looks up in root
//	Readonly       kept            makes late mounts read-only
//	ProtectPaths   protector       looks up in kept and root, takes from null
//	Close                          closes all of them
//
// That is also the order of the calls, all on one locked thread: init's, or where the container's
// process is a list of calls, one of the command's. After an error only Close may follow.
type FS struct {
	plan  *Plan
	ask   Ask
	umask int // the caller's

	root     root
	prepared prepared
	kept     kept
	null     nullNode
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
	f := &FS{plan: p, ask: ask, prepared: prepared{p.Prepared, files}, kept: kept{dev: -1}, null: nullNode{-1, -1}}
	if p.MountNS {
		if err := isolate(p); err != nil {
			return nil, err
		}
	}
	var err error
	if f.root, err = pin(p, &f.prepared); err != nil {
		return nil, err
	}
	f.umask = unix.Umask(0)
	return f, nil
}

// Close gives up what FS holds and restores the umask.
func (f *FS) Close() {
	closeAll(&f.root.fd)
	f.prepared.close()
	f.kept.close()
	f.null.close()
	linux.ForgetProc()
	unix.Umask(f.umask)
}

// closeAll closes those descriptors that are open, and notes that they aren't any more.
func closeAll(fds ...*int) {
	for _, fd := range fds {
		if *fd >= 0 {
			unix.Close(*fd)
		}
		*fd = -1
	}
}

// dup gives a second descriptor for what fd is open at.
func dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3) }

// shared tells that the configuration wants mounts to propagate to the host.
func (p *Plan) shared() bool { return p.Propagation&unix.MS_SHARED != 0 }

// isolate changes what the namespace has in common with the host's. Mounts of the host still arrive
// (slave), so that a volume that is unmounted there isn't kept busy here, and none go out.
// rootfsPropagation shared leaves the way out open for volumes whose options want it.
func isolate(p *Plan) error {
	flags := uintptr(unix.MS_SLAVE | unix.MS_REC)
	switch wish := p.Propagation; {
	case p.shared():
		flags = uintptr(wish)
	case wish == unix.MS_PRIVATE|unix.MS_REC, wish == unix.MS_UNBINDABLE|unix.MS_REC:
		flags = unix.MS_PRIVATE | unix.MS_REC
	}
	if err := unix.Mount("", "/", "", flags, ""); err != nil {
		return fmt.Errorf("change the propagation of %q: %w%s", "/", linux.NameCall("mount", err), whyNoMount("/", err))
	}
	if !p.shared() {
		return nil
	}
	// The root must not propagate to the host either, and pivot_root(2) wants its parent not to be
	// shared.
	return isolateMountOf(p.Root)
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
func pin(p *Plan, ready *prepared) (root, error) {
	at, err := linux.OpenTree(unix.AT_FDCWD, p.Root, 0)
	if err != nil {
		return root{}, fmt.Errorf("open root %q: %w%s", p.Root, err, blameHost(p.Root, err))
	}
	defer unix.Close(at)
	const clone = unix.OPEN_TREE_CLONE | unix.AT_RECURSIVE | unix.AT_EMPTY_PATH
	fd, found := ready.take(rootIndex)
	if !found {
		fd, err = linux.OpenTree(at, "", clone)
	}
	if err == unix.EINVAL && p.MountNS { //nolint:errorlint // a bare errno
		// It lies on an unbindable mount, as in a container whose own root is one.
		if err = isolateMountOf(p.Root); err == nil {
			fd, err = linux.OpenTree(at, "", clone)
		}
	}
	if err != nil {
		return root{}, fmt.Errorf("clone root %q: %w", p.Root, err)
	}
	place, err := settle(p, fd, at)
	if err != nil {
		unix.Close(fd)
		return root{}, fmt.Errorf("mount root %q: %w", p.Root, err)
	}
	return root{fd: fd, place: place}, nil
}

// settle gives the root's mount its propagation and attaches it. A slave stays the slave of what
// the host has there.
func settle(p *Plan, root, at int) (place, error) {
	here, err := placeOf(root)
	if err != nil {
		return here, err
	}
	if !here.isDir() {
		return here, fmt.Errorf("%w (it is %s)", unix.ENOTDIR, kindOf(here.mode))
	}
	if p.Propagation&unix.MS_SLAVE == 0 {
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
