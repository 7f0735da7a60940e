package seccomp

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// action is one value of `action` and `defaultAction`.
type action struct {
	name specs.LinuxSeccompAction
	ret  uint32 // SECCOMP_RET_*
	// takesErrno says that errnoRet goes into the return value, and that it is EPERM by default.
	takesErrno bool
}

// actions is sorted by name.
var actions = [...]action{
	{name: specs.ActAllow, ret: unix.SECCOMP_RET_ALLOW},
	{name: specs.ActErrno, ret: unix.SECCOMP_RET_ERRNO, takesErrno: true},
	{name: specs.ActKill, ret: unix.SECCOMP_RET_KILL_THREAD},
	{name: specs.ActKillProcess, ret: unix.SECCOMP_RET_KILL_PROCESS},
	{name: specs.ActKillThread, ret: unix.SECCOMP_RET_KILL_THREAD},
	{name: specs.ActLog, ret: unix.SECCOMP_RET_LOG},
	{name: specs.ActNotify, ret: unix.SECCOMP_RET_USER_NOTIF},
	{name: specs.ActTrace, ret: unix.SECCOMP_RET_TRACE, takesErrno: true},
	{name: specs.ActTrap, ret: unix.SECCOMP_RET_TRAP},
}

// retENOSYS answers calls that are newer than the profile.
const retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// isStricter tells which of two return values the kernel prefers when several filters answer:
// seccomp(2) lists them in this order, and the action is compared as a signed number there too, for
// KILL_PROCESS has the top bit.
func isStricter(a, b uint32) bool {
	return int32(a&unix.SECCOMP_RET_ACTION_FULL) < int32(b&unix.SECCOMP_RET_ACTION_FULL)
}

// comparison says how an argument is compared with a value.
type comparison uint8

const (
	notEqual comparison = iota
	less
	lessOrEqual
	equal
	greaterOrEqual
	greater
	maskedEqual
)

// operators is sorted by name.
var operators = [...]struct {
	name       specs.LinuxSeccompOperator
	comparison comparison
}{
	{specs.OpEqualTo, equal},
	{specs.OpGreaterEqual, greaterOrEqual},
	{specs.OpGreaterThan, greater},
	{specs.OpLessEqual, lessOrEqual},
	{specs.OpLessThan, less},
	{specs.OpMaskedEqual, maskedEqual},
	{specs.OpNotEqual, notEqual},
}

// flagTsync is in the specification's text, but has no constant in specs-go.
const flagTsync specs.LinuxSeccompFlag = "SECCOMP_FILTER_FLAG_TSYNC"

// flags are the values of `flags`, in the order of runc's features.
var flags = [...]struct {
	name  specs.LinuxSeccompFlag
	value uint32
	// probe is what seccomp(2) has to accept for the flag to work here.
	probe uint32
}{
	// A filter goes into one thread, and execve ends all others: there is nothing to synchronize.
	{flagTsync, 0, unix.SECCOMP_FILTER_FLAG_TSYNC},
	{specs.LinuxSeccompFlagSpecAllow, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{specs.LinuxSeccompFlagLog, unix.SECCOMP_FILTER_FLAG_LOG, unix.SECCOMP_FILTER_FLAG_LOG},
	{
		specs.LinuxSeccompFlagWaitKillableRecv, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
	},
}

// Actions gives the actions that a profile may name, sorted.
func Actions() []string {
	names := make([]string, len(actions))
	for i := range actions {
		names[i] = string(actions[i].name)
	}
	return names
}

// Operators gives the operators that a profile may name, sorted.
func Operators() []string {
	names := make([]string, len(operators))
	for i := range operators {
		names[i] = string(operators[i].name)
	}
	return names
}

// KnownFlags gives the flags that a profile may name.
func KnownFlags() []string {
	names := make([]string, len(flags))
	for i := range flags {
		names[i] = string(flags[i].name)
	}
	return names
}

// SupportedFlags gives those of [KnownFlags] that the kernel supports. It asks the kernel at each
// call.
func SupportedFlags() []string {
	var names []string
	for i := range flags {
		if kernelAccepts(flags[i].probe) {
			names = append(names, string(flags[i].name))
		}
	}
	return names
}

// kernelAccepts asks the kernel for a filter at address 0: it looks at the flags first (EINVAL for
// one that it does not know), and then fails with EFAULT.
func kernelAccepts(flags uint32) bool {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), 0)
	return errno == unix.EFAULT
}
