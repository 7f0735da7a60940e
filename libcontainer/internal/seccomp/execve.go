package seccomp

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// Verdict is why a profile keeps execve(2) from being made, without which no program starts. It is
// for errors, and plain data that travels to init.
type Verdict struct {
	Pointer string     // of the action that decides, "" if the profile lets execve through
	Errno   unix.Errno // that the action gives, or 0
	Default bool       // it is the default action, which gives ENOSYS for calls that are newer than the profile
}

// Gives tells whether an execve that failed with errno may have been refused by the profile.
func (v *Verdict) Gives(errno unix.Errno) bool {
	return v.Pointer != "" && v.Errno != 0 && (errno == v.Errno || v.Default && errno == unix.ENOSYS)
}

// ExecVerdict tells what a profile, which Compile has accepted, says of execve, as its filter does:
// the first entry without conditions that differs from the default decides, and then the default.
// Entries with conditions are passed over, because addresses can't be foreseen.
func ExecVerdict(s *specs.LinuxSeccomp) Verdict {
	if s == nil {
		return Verdict{}
	}
	byDefault, _, err := returnValue(s.DefaultAction, s.DefaultErrnoRet)
	if err != nil {
		return Verdict{}
	}
	for i := range s.Syscalls {
		entry := &s.Syscalls[i]
		ret, _, err := returnValue(entry.Action, entry.ErrnoRet)
		if err == nil && ret != byDefault && len(entry.Args) == 0 && slices.Contains(entry.Names, "execve") {
			return verdictOf(ret, specconv.Pointer("linux", "seccomp", "syscalls", i, "action"), false)
		}
	}
	return verdictOf(byDefault, "/linux/seccomp/defaultAction", true)
}

func verdictOf(ret uint32, pointer string, byDefault bool) Verdict {
	switch ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ERRNO:
		return Verdict{pointer, unix.Errno(ret & unix.SECCOMP_RET_DATA), byDefault}
	case unix.SECCOMP_RET_KILL_THREAD, unix.SECCOMP_RET_KILL_PROCESS, unix.SECCOMP_RET_TRAP:
		return Verdict{Pointer: pointer, Default: byDefault}
	}
	return Verdict{}
}
