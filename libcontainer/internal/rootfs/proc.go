package rootfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// Procfs is a proc filesystem that the container can't reach or change, for init's own writes:
// labels, sysctls. What a volume or an image puts on /proc doesn't matter to it (CVE-2025-52881).
type Procfs struct{ dir *os.File }

// OpenProc opens a private procfs: with whole set all of it, for sysctls, and otherwise only what
// concerns processes. It is to be called before [FS.Pivot]: in a user namespace the kernel allows
// it only as long as a complete one is in sight.
func (f *FS) OpenProc(whole bool) (*Procfs, error) {
	fd, err := freshProc(whole)
	if errors.Is(err, unix.EPERM) {
		// The pid namespace isn't the user namespace's own. The host's /proc can't be reached by
		// the container either.
		fd, err = hostProc()
	}
	if err != nil {
		return nil, fmt.Errorf("open a private procfs: %w", err)
	}
	return &Procfs{os.NewFile(uintptr(fd), "/proc")}, nil
}

// HostProc opens the procfs on the calling thread's /proc, which is the host's for a process that
// is about to enter another mount namespace, whose processes don't see it. Anything else on /proc
// is an error.
func HostProc() (*Procfs, error) {
	fd, err := hostProc()
	if err != nil {
		return nil, err
	}
	return &Procfs{os.NewFile(uintptr(fd), "/proc")}, nil
}

func freshProc(whole bool) (int, error) {
	ctx, err := linux.Fsopen("proc")
	if err != nil {
		return -1, err
	}
	defer unix.Close(ctx)
	if !whole {
		if err := linux.FsconfigString(ctx, "subset", "pid"); err != nil { // Linux 5.8
			return -1, err
		}
	}
	if err := linux.FsconfigCreate(ctx); err != nil {
		return -1, err
	}
	return linux.Fsmount(ctx, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
}

func hostProc() (int, error) {
	fd, err := linux.Openat2(unix.AT_FDCWD, "/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0, 0)
	if err != nil {
		return -1, err
	}
	proc, err := isFS(fd, unix.PROC_SUPER_MAGIC)
	if err == nil && !proc {
		err = fmt.Errorf("%q is not a procfs", "/proc")
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Open opens a file, named relative to the procfs ("self/attr/exec", "sys/net/ipv4/ip_forward"),
// with flags of open(2). It takes no magic link and doesn't go through anything that is mounted
// there.
func (p *Procfs) Open(name string, flags int) (*os.File, error) {
	const how = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS
	fd, err := linux.Openat2(int(p.dir.Fd()), name, uint64(flags), 0, how)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/proc/" + name, Err: err}
	}
	return os.NewFile(uintptr(fd), "/proc/"+name), nil
}

// Close gives the procfs up, and with the last fd it is gone.
func (p *Procfs) Close() error { return p.dir.Close() }

// Dir is the root directory of the procfs.
func (p *Procfs) Dir() *os.File { return p.dir }
