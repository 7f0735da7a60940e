//go:build !amd64 && !arm64

package spawn

import "syscall"

const canVfork = false

func vfork(uintptr, uintptr) (uintptr, syscall.Errno) { return 0, syscall.ENOSYS }
