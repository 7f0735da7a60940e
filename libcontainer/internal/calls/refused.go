package calls

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// CloseRange adds close_range(2), or, where a sandbox refuses it, a call for each descriptor that
// the process may have: what it closes or marks is what is open here by then.
func (l *List) CloseRange(first, last, flags uintptr, what string, args ...any) {
	if !linux.Missing(unix.SYS_CLOSE_RANGE) {
		l.Do(unix.SYS_CLOSE_RANGE, first, last, flags).Or(what, args...)
		return
	}
	for _, fd := range linux.Descriptors(int(first)) {
		if uintptr(fd) > last {
			continue
		}
		c := l.Do(unix.SYS_CLOSE, uintptr(fd))
		if flags&unix.CLOSE_RANGE_CLOEXEC != 0 {
			c.Number, c.Args = unix.SYS_FCNTL, [6]uintptr{uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC}
		}
		c.Or(what, args...).Expect = []unix.Errno{unix.EBADF}
	}
}

// OpenInProc adds the opening of a file of a procfs that nobody in a container can have mounted
// anything in, by openat2(2), which makes sure of it: no mount and no magic link is in the way.
// Where a sandbox refuses that call, openat(2) opens it, and it has to be a file of a procfs. The
// call's result is the descriptor.
func (l *List) OpenInProc(proc int, name string, flags uint64) *Call {
	flags |= unix.O_CLOEXEC
	if !linux.Missing(unix.SYS_OPENAT2) {
		how := Struct(l, &unix.OpenHow{
			Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
		})
		open := l.Do(unix.SYS_OPENAT2, uintptr(proc), l.Text(name), how, unix.SizeofOpenHow)
		open.Result = l.Room(8)
		return open
	}
	open := l.Do(unix.SYS_OPENAT, uintptr(proc), l.Text(name), uintptr(flags))
	open.Result = l.Room(8)
	var fs unix.Statfs_t
	fs.Type = unix.PROC_SUPER_MAGIC
	found := Struct(l, &unix.Statfs_t{})
	l.On(open.Result, unix.SYS_FSTATFS, found).Or("fstatfs %q", name)
	for i, b := range unsafe.Slice((*byte)(unsafe.Pointer(&fs.Type)), unsafe.Sizeof(fs.Type)) {
		l.Do(Equal, found+uintptr(i), uintptr(b), uintptr(unix.EXDEV)).Or("open %q in procfs", name)
	}
	return open
}

// OpenDirectory adds the opening of a directory, as a mere place, from the root directory, without
// magic links. Where a sandbox refuses openat2(2), names is the way there, of which no name may be
// a symbolic link by then. made are the calls that may fail; the result of the last is the
// descriptor.
func (l *List) OpenDirectory(path string, names func() []string) (made []*Call) {
	here := unix.AT_FDCWD
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	if !linux.Missing(unix.SYS_OPENAT2) {
		how := Struct(l, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_NO_MAGICLINKS})
		open := l.Do(unix.SYS_OPENAT2, uintptr(here), l.Text(path), how, unix.SizeofOpenHow)
		open.Result = l.Room(8)
		return []*Call{open}
	}
	open := l.Do(unix.SYS_OPENAT, uintptr(here), l.Text("/"), flags)
	open.Result = l.Room(8)
	made = []*Call{open}
	for _, name := range names() {
		next := l.On(open.Result, unix.SYS_OPENAT, l.Text(name), flags|unix.O_NOFOLLOW)
		next.Result = l.Room(8)
		l.On(open.Result, unix.SYS_CLOSE)
		made, open = append(made, next), next
	}
	return made
}
