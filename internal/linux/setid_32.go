//go:build 386 || arm

package linux

import "golang.org/x/sys/unix"

// The system calls that take 32-bit ids; the ones without a suffix take 16-bit ids here.
const (
	SysSetresuid = unix.SYS_SETRESUID32
	SysSetresgid = unix.SYS_SETRESGID32
	SysSetgroups = unix.SYS_SETGROUPS32
)
