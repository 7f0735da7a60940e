// Package seccomp turns linux.seccomp of a container's configuration into a seccomp filter and
// loads it.
//
// The parent calls [Compile], which checks the profile and makes classic BPF for each architecture
// that the profile names: no libseccomp, no cgo. The [Filter] is plain data, and [Filter.Load] a
// call of the list that the container's process ends with. With SCMP_ACT_NOTIFY the process gives
// its listener to somebody who is not filtered, by a [Handover], and the parent sends that to the
// agent with [SendListener].
// The tables behind the checks are what `features` prints.
//
// How a profile is read, and where that differs from libseccomp, is in docs/design/seccomp.md.
package seccomp

import (
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
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

// Loading is what an error of the filter's loading is called.
const Loading = "load the seccomp filter"

// Load is the call that loads the filter, seccomp(2), to be added to the list. From then on each
// system call of the process is filtered, the list's next one first. Its result is the listener's
// descriptor, close-on-exec, if the filter has Notify.
func (f *Filter) Load(l *calls.List) *calls.Call {
	fprog := l.Words(uint64(f.Len()), uint64(l.Bytes(f.Instructions))) // struct sock_fprog
	load := &calls.Call{Number: unix.SYS_SECCOMP, Args: [6]uintptr{unix.SECCOMP_SET_MODE_FILTER, uintptr(f.Flags), fprog}}
	return load.Or(Loading)
}
