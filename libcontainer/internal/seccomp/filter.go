// Package seccomp turns linux.seccomp of a container's configuration into a seccomp filter and
// loads it.
//
// The parent calls [Compile], which checks the profile and makes classic BPF for each architecture
// that the profile names: no libseccomp, no cgo. The [Filter] travels to the init process as plain
// data; there [Filter.Prepare] and [Loadable.Install] load it into the current thread with one
// system call. With SCMP_ACT_NOTIFY the parent hands the listener to the agent with [SendListener].
// The tables behind the checks are what `features` prints.
//
// How a profile is read, and where that differs from libseccomp, is in docs/design/seccomp.md.
package seccomp

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

//go:generate go run ./gensyscalls

// Filter is a compiled profile.
type Filter struct {
	// Instructions are the BPF program as the kernel takes it: struct sock_filter[], 8 bytes each,
	// native byte order.
	Instructions []byte
	// Flags are those of seccomp(2) SECCOMP_SET_MODE_FILTER.
	Flags uint32
	// Notify says that installing the filter gives a listener, for some rule has the action
	// SCMP_ACT_NOTIFY.
	Notify bool
	// ListenerPath is the agent's socket and ListenerMetadata what it is sent with the listener.
	// Both are empty without Notify.
	ListenerPath, ListenerMetadata string
}

// Len gives the number of instructions.
func (f *Filter) Len() int { return len(f.Instructions) / sizeofInstruction }

// Prepare does all for which loading the filter needs memory, so that [Loadable.Install] needs
// none.
func (f *Filter) Prepare() *Loadable {
	l := &Loadable{instructions: f.Instructions, flags: uintptr(f.Flags), notify: f.Notify}
	l.fprog.Len = uint16(f.Len())
	l.fprog.Filter = (*unix.SockFilter)(unsafe.Pointer(unsafe.SliceData(f.Instructions)))
	return l
}

// Loadable is a filter ready to be loaded.
type Loadable struct {
	fprog        unix.SockFprog
	instructions []byte // keeps alive what fprog points to
	flags        uintptr
	notify       bool
}

// Install loads the filter into the current thread, which the caller has locked and keeps. It is
// one raw system call and allocates nothing: under a filter that forbids all but execve, neither
// the Go scheduler nor its collector is given a reason for another call, provided that its callers
// up to the execve are nosplit as well. From here on each system call of the thread is filtered,
// also those that the runtime makes for itself: signals must be blocked before (returning from a
// handler is a system call).
//
// listenerFD is the notification descriptor (close-on-exec) if the filter has Notify, or -1. The
// error is a bare errno: EACCES if the thread has neither no_new_privs nor CAP_SYS_ADMIN in its
// user namespace, EBUSY if it has a listener already, ENOMEM if all filters of the thread together
// are too long.
//
//go:nosplit
func (l *Loadable) Install() (listenerFD int, err error) {
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, l.flags, uintptr(unsafe.Pointer(&l.fprog)))
	runtime.KeepAlive(l)
	if errno != 0 {
		return -1, errno
	}
	if !l.notify {
		return -1, nil
	}
	return int(fd), nil
}
