package linux

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// calls are the system calls that are newer than what people still run, or that filters refuse,
// with the first Linux that has them; 0 is for those that every Linux has.
var calls = [...]struct {
	name         string
	number       uintptr
	major, minor int
}{
	{"capset", unix.SYS_CAPSET, 0, 0},
	{"clone", unix.SYS_CLONE, 0, 0},
	{"clone3", unix.SYS_CLONE3, 5, 3},
	{"close_range", unix.SYS_CLOSE_RANGE, 5, 9},
	{"execveat", unix.SYS_EXECVEAT, 3, 19},
	{"faccessat2", unix.SYS_FACCESSAT2, 5, 8},
	{"fsconfig", unix.SYS_FSCONFIG, 5, 2},
	{"fsmount", unix.SYS_FSMOUNT, 5, 2},
	{"fsopen", unix.SYS_FSOPEN, 5, 2},
	{"fspick", unix.SYS_FSPICK, 5, 2},
	{"ioprio_set", unix.SYS_IOPRIO_SET, 0, 0},
	{"keyctl", unix.SYS_KEYCTL, 0, 0},
	{"memfd_create", unix.SYS_MEMFD_CREATE, 3, 17},
	{"mount", unix.SYS_MOUNT, 0, 0},
	{"mount_setattr", unix.SYS_MOUNT_SETATTR, 5, 12},
	{"move_mount", unix.SYS_MOVE_MOUNT, 5, 2},
	{"open_tree", unix.SYS_OPEN_TREE, 5, 2},
	{"openat2", unix.SYS_OPENAT2, 5, 6},
	{"personality", unix.SYS_PERSONALITY, 0, 0},
	{"pidfd_getfd", unix.SYS_PIDFD_GETFD, 5, 6},
	{"pidfd_open", unix.SYS_PIDFD_OPEN, 5, 3},
	{"pidfd_send_signal", unix.SYS_PIDFD_SEND_SIGNAL, 5, 1},
	{"prctl", unix.SYS_PRCTL, 0, 0},
	{"prlimit64", unix.SYS_PRLIMIT64, 0, 0},
	{"sched_setattr", unix.SYS_SCHED_SETATTR, 0, 0},
	{"seccomp", unix.SYS_SECCOMP, 3, 17},
	{"set_mempolicy", unix.SYS_SET_MEMPOLICY, 0, 0},
	{"setns", unix.SYS_SETNS, 0, 0},
	{"statx", unix.SYS_STATX, 4, 11},
	{"umount2", unix.SYS_UMOUNT2, 0, 0},
	{"unshare", unix.SYS_UNSHARE, 0, 0},
}

// callError is an error of a system call that may not have been made at all, because the kernel
// lacks it or a seccomp filter around the runtime refuses it. An errno alone says nothing about
// that.
type callError struct {
	Call string
	Err  unix.Errno
}

// NameCall gives an error that may mean that a system call was not made, ENOSYS or EPERM, the
// call's name. It leaves others as they are: callers compare them.
func NameCall(call string, err error) error {
	if errno, ok := err.(unix.Errno); ok && (errno == unix.ENOSYS || errno == unix.EPERM) { //nolint:errorlint // a bare errno
		return &callError{call, errno}
	}
	return err
}

// Error says which call it was and, as far as that can be known, why it was not made.
func (e *callError) Error() string {
	text := e.Call + ": " + e.Err.Error()
	for i := range calls {
		if calls[i].name != e.Call {
			continue
		}
		if why := whyRefused(i, e.Err); why != "" {
			return text + " (" + why + ")"
		}
		break
	}
	return text
}

// ExplainCall adds to an error of a system call, by its number, why the call was not made at all,
// if that is so and err does not say it yet.
func ExplainCall(number uintptr, errno unix.Errno, err error) error {
	if _, named := errors.AsType[*callError](err); named || errno != unix.ENOSYS && errno != unix.EPERM {
		return err
	}
	for i := range calls {
		if calls[i].number != number {
			continue
		}
		if why := whyRefused(i, errno); errno == unix.ENOSYS {
			return fmt.Errorf("%w (%s: %s)", err, calls[i].name, why)
		} else if why != "" {
			return fmt.Errorf("%w (%s)", err, why)
		}
	}
	return err
}

// whyRefused explains an errno of one of the calls.
func whyRefused(i int, errno unix.Errno) string {
	c := &calls[i]
	if errno == unix.ENOSYS {
		return whyMissing(c.name, c.major, c.minor)
	}
	switch c.number {
	case unix.SYS_FSOPEN, unix.SYS_FSPICK, unix.SYS_FSMOUNT, unix.SYS_MOVE_MOUNT: // before they look at anything, they ask who may mount
		if underFilter() {
			return "a seccomp filter around the runtime may refuse " + c.name
		}
		return ""
	}
	if !Filtered(c.number, errno) {
		return ""
	}
	return "a seccomp filter around the runtime refuses " + c.name
}

// underFilter tells whether this thread is under a seccomp filter, as its children will be.
func underFilter() bool {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err == nil && mode == unix.SECCOMP_MODE_FILTER
}

// Filtered tells whether a seccomp filter, which this process inherited, answers a system call with
// an errno, whatever it is asked for: the kernel has another one for arguments that are all wrong.
func Filtered(number uintptr, errno unix.Errno) bool {
	switch number {
	case unix.SYS_UNSHARE, unix.SYS_CLONE, unix.SYS_PERSONALITY, unix.SYS_PRCTL: // which would do something
		return false
	}
	if !underFilter() {
		return false
	}
	return ask(number) == errno
}

// refused tells whether an error of a system call says that it was not made at all: the kernel
// lacks it, or a filter refuses it.
func refused(number uintptr, err error) bool {
	return err == unix.ENOSYS || err == unix.EPERM && Filtered(number, unix.EPERM) //nolint:errorlint // bare errnos
}

// Missing tells whether a system call can't be made here, whatever it is asked for: the kernel
// lacks it, or a filter refuses it. It is for calls that look at their arguments first, which are
// all wrong here, and at who calls after that.
func Missing(number uintptr) bool {
	errno := ask(number)
	return errno == unix.ENOSYS || errno == unix.EPERM
}

// ask makes a system call with arguments that are all wrong.
func ask(number uintptr) unix.Errno {
	const wrong = ^uintptr(0)
	_, _, errno := unix.RawSyscall6(number, wrong, wrong, wrong, wrong, wrong, wrong)
	return errno
}

func (e *callError) Unwrap() error { return e.Err }

// whyMissing explains ENOSYS of a call that Linux has since a version, 0 for ever.
func whyMissing(call string, major, minor int) string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil || major == 0 {
		return "a seccomp filter or a sandbox around the runtime refuses it"
	}
	release := unix.ByteSliceToString(name.Release[:])
	if older(release, major, minor) {
		return fmt.Sprintf("this requires Linux %d.%d, this is %s", major, minor, release)
	}
	return fmt.Sprintf("Linux has %s since %d.%d, this is %s: a seccomp filter or a sandbox around the runtime refuses it", call, major, minor, release)
}

// older tells whether a release, such as "5.10.0-8-amd64", is older than a version.
func older(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if digits >= 0 {
		rest = rest[:digits]
	}
	m, err := strconv.Atoi(first)
	n, _ := strconv.Atoi(rest)
	return err == nil && (m < major || m == major && n < minor)
}
