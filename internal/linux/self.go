package linux

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// procRootIno is the inode of the root of a procfs, PROC_ROOT_INO of linux/proc_ns.h.
const procRootIno = 1

// held is the procfs that what stands in for a refused call asks about this process. It is the one
// on /proc when the first such call is made, which is before init's root changes: nobody in a
// container can have mounted anything in it.
var held = struct {
	sync.Mutex
	fd int
}{fd: -1}

// ForgetProc closes the procfs that is held for what stands in for refused calls. A process of a
// container must not have it.
func ForgetProc() {
	held.Lock()
	defer held.Unlock()
	if held.fd >= 0 {
		unix.Close(held.fd)
	}
	held.fd = -1
}

func heldProc() (int, error) {
	held.Lock()
	defer held.Unlock()
	if held.fd >= 0 {
		return held.fd, nil
	}
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/proc", Err: err}
	}
	var st unix.Stat_t
	proc, err := onProcfs(fd)
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err == nil && (!proc || st.Ino != procRootIno) {
		err = fmt.Errorf("%q is not the root of a procfs", "/proc")
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	held.fd = fd
	return fd, nil
}

func onProcfs(fd int) (bool, error) {
	var fs unix.Statfs_t
	for {
		err := unix.Fstatfs(fd, &fs)
		if err != unix.EINTR {
			return err == nil && fs.Type == unix.PROC_SUPER_MAGIC, err
		}
	}
}

// fdinfo reads what procfs says of a descriptor of the calling thread, proc_pid_fdinfo(5).
func fdinfo(fd int, field string) (string, error) {
	proc, err := heldProc()
	if err != nil {
		return "", err
	}
	name := "thread-self/fdinfo/" + strconv.Itoa(fd)
	info, err := openat(proc, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: "/proc/" + name, Err: err}
	}
	defer unix.Close(info)
	var buf [4096]byte
	n, err := unix.Read(info, buf[:])
	if err != nil {
		return "", &os.PathError{Op: "read", Path: "/proc/" + name, Err: err}
	}
	for line := range strings.Lines(string(buf[:n])) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("\"/proc/%s\" has no %s", name, field)
}

// mountID gives the number of the mount that fd is on.
func mountID(fd int) (uint64, error) {
	var st unix.Statx_t
	err := Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st)
	return st.Mnt_id, err
}

// Statx is statx(2). Where that is refused, stat(2) has the rest but the time of birth, and procfs
// the mount of a descriptor, for which path is "".
func Statx(dirfd int, path string, flags, mask int, st *unix.Statx_t) error {
	err := unix.Statx(dirfd, path, flags, mask, st)
	if !refused(unix.SYS_STATX, err) {
		return NameCall("statx", err)
	}
	return statWithout(dirfd, path, flags, mask, st)
}

// statWithout is Statx without that call.
func statWithout(dirfd int, path string, flags, mask int, st *unix.Statx_t) error {
	var old unix.Stat_t
	if err := unix.Fstatat(dirfd, path, &old, flags&(unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)); err != nil {
		return err
	}
	*st = unix.Statx_t{
		Mask: unix.STATX_BASIC_STATS, Mode: uint16(old.Mode), Ino: uint64(old.Ino),
		Dev_major: unix.Major(uint64(old.Dev)), Dev_minor: unix.Minor(uint64(old.Dev)),
		Rdev_major: unix.Major(uint64(old.Rdev)), Rdev_minor: unix.Minor(uint64(old.Rdev)),
		Mtime: unix.StatxTimestamp{Sec: int64(old.Mtim.Sec), Nsec: uint32(old.Mtim.Nsec)},
	}
	if mask&unix.STATX_MNT_ID == 0 || path != "" {
		return nil
	}
	id, err := fdinfo(dirfd, "mnt_id")
	if err == nil {
		st.Mask |= unix.STATX_MNT_ID
		st.Mnt_id, err = strconv.ParseUint(id, 10, 64)
	}
	return err
}
