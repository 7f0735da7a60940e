package calls

import (
	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// whyMissing says of a system call which fails with ENOSYS what it is, and which Linux has it; ""
// if it has explained itself.
func whyMissing(number uintptr) string {
	for _, c := range [...]struct {
		number uintptr
		name   string
	}{
		{unix.SYS_CLOSE_RANGE, "close_range"}, {unix.SYS_EXECVEAT, "execveat"}, {unix.SYS_OPENAT2, "openat2"},
		{unix.SYS_FACCESSAT2, "faccessat2"}, {unix.SYS_STATX, "statx"}, {unix.SYS_SECCOMP, "seccomp"},
		{unix.SYS_SETNS, "setns"}, {unix.SYS_UNSHARE, "unshare"}, {unix.SYS_PRLIMIT64, "prlimit64"},
		{unix.SYS_SCHED_SETATTR, "sched_setattr"}, {unix.SYS_SET_MEMPOLICY, "set_mempolicy"}, {unix.SYS_IOPRIO_SET, "ioprio_set"},
		{unix.SYS_PERSONALITY, "personality"}, {unix.SYS_CAPSET, "capset"}, {unix.SYS_PRCTL, "prctl"},
	} {
		if c.number == number {
			return linux.WhyMissing(c.name)
		}
	}
	return ""
}
