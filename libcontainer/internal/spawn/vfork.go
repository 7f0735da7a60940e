//go:build amd64 || arm64

package spawn

import "syscall"

const canVfork = true

// vfork is clone3(2) for a child that shares the caller's stack. It is assembly because a
// call that returns twice must not find its return address on that stack: the child has
// used it.
//
//go:noescape
func vfork(args, size uintptr) (pid uintptr, errno syscall.Errno)
