//go:build 386 || arm

package process

import "golang.org/x/sys/unix"

// The system calls that take 32-bit ids; the ones without a suffix take 16-bit ids here.
const (
	sysSetresuid = unix.SYS_SETRESUID32
	sysSetresgid = unix.SYS_SETRESGID32
	sysSetgroups = unix.SYS_SETGROUPS32
)
