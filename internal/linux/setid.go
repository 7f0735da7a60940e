//go:build !386 && !arm

package linux

import "golang.org/x/sys/unix"

// The system calls that take 32-bit ids.
const (
	SysSetresuid = unix.SYS_SETRESUID
	SysSetresgid = unix.SYS_SETRESGID
	SysSetgroups = unix.SYS_SETGROUPS
)
