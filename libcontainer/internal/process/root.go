package process

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// Root is a container's root directory, from which files are read that the container's image,
// volumes and processes choose. To open one of these is an act of its own if it is a device, a FIFO
// or the like, and under a name anything may be by the next system call. So a file is found first
// (O_PATH), then looked at, and then opened by its descriptor.
type Root struct {
	Dir *os.File // the root directory
	// Proc is a procfs that knows the calling thread, through which a descriptor is opened again.
	// If it is nil, that is what the thread has on /proc, the container's own for instance,
	// provided that this is a procfs.
	Proc *os.File
}

// find finds a path as a process with the root directory would, but follows no magic link of
// procfs: those lead out of it. The descriptor is one of O_PATH.
func (r Root) find(path string) (int, error) { return r.findFor(path, 0) }

func (r Root) findFor(path string, flags uint64) (int, error) {
	return linux.Openat2(int(r.Dir.Fd()), path, unix.O_PATH|flags, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// Stat tells what there is under a path. That there is nothing is a bare ENOENT or ENOTDIR.
func (r Root) Stat(path string) (st unix.Stat_t, err error) {
	fd, err := r.find(path)
	if err != nil {
		return st, err
	}
	defer unix.Close(fd)
	err = unix.Fstat(fd, &st)
	return st, err
}

// File is what was found under a path. Its owner has to close FD.
type File struct {
	FD       int // of O_PATH unless Readable
	Stat     unix.Stat_t
	Readable bool // it is a regular file, which the caller may read
}

// Open finds a path, and opens it for reading if it leads to a regular file.
func (r Root) Open(path string) (*File, error) {
	fd, err := r.find(path)
	if err != nil {
		return nil, err
	}
	f := &File{FD: fd}
	if err := unix.Fstat(fd, &f.Stat); err != nil {
		unix.Close(fd)
		return nil, err
	}
	if f.Stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return f, nil
	}
	if readable, err := r.reopen(fd); err == nil {
		unix.Close(fd)
		f.FD, f.Readable = readable, true
	}
	return f, nil
}

// NotDirectory returns the first component of an absolute path that is a file where a directory
// should be, or "".
func (r Root) NotDirectory(path string) string {
	for dir := range steps(path) {
		st, err := r.Stat(dir)
		if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return dir
		}
	}
	return ""
}

// inProcfs are the rules for a name in a procfs: nothing that is mounted there is entered, nor
// anything that a process has open.
const inProcfs = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// reopen opens for reading what the descriptor fd of O_PATH, a regular file's, stands for.
func (r Root) reopen(fd int) (int, error) {
	proc, err := r.proc()
	if err != nil {
		return -1, err
	}
	if r.Proc == nil {
		defer unix.Close(proc)
	}
	fds, err := descriptors(proc)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fds)
	// O_NONBLOCK: there are regular files that have a reader wait, such as /proc/kmsg.
	return unix.Openat(fds, strconv.Itoa(fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
}

// descriptors opens the directory of the calling thread's descriptors. That of its process is the
// same one here, and is there where the configuration has mounted something on the threads'.
func descriptors(proc int) (int, error) {
	fds, err := linux.Openat2(proc, "thread-self/fd", unix.O_PATH|unix.O_DIRECTORY, 0, inProcfs)
	if errors.Is(err, unix.EXDEV) {
		fds, err = linux.Openat2(proc, "self/fd", unix.O_PATH|unix.O_DIRECTORY, 0, inProcfs)
	}
	return fds, err
}

func (r Root) proc() (int, error) {
	if r.Proc != nil {
		return int(r.Proc.Fd()), nil
	}
	return openProcfs()
}

var errNotProcfs = errors.New("/proc is not a procfs")

func openProcfs() (int, error) {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var fs unix.Statfs_t
	if err = unix.Fstatfs(fd, &fs); err == nil && fs.Type != unix.PROC_SUPER_MAGIC {
		err = errNotProcfs
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// HasProcfs tells whether the calling thread has a procfs on /proc that shows its descriptors, so
// that [Root] can do without one of its own.
func HasProcfs() bool {
	proc, err := openProcfs()
	if err != nil {
		return false
	}
	defer unix.Close(proc)
	fds, err := descriptors(proc)
	if err != nil {
		return false
	}
	unix.Close(fds)
	return true
}
