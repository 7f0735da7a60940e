package linux

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// calls are the system calls that are newer than what people still run, or that filters refuse
// because they are new to them, with the first Linux that has them. A denied one gives EPERM for no
// other reason than that the caller may not make it at all: for want of a capability, or because of
// a filter.
var calls = [...]struct {
	name         string
	major, minor int
	denied       bool
}{
	{"clone3", 5, 3, false},
	{"close_range", 5, 9, false},
	{"execveat", 3, 19, false},
	{"faccessat2", 5, 8, false},
	{"fsconfig", 5, 2, false},
	{"fsmount", 5, 2, false},
	{"fsopen", 5, 2, true},
	{"fspick", 5, 2, true},
	{"memfd_create", 3, 17, true},
	{"mount_setattr", 5, 12, false},
	{"move_mount", 5, 2, true},
	{"open_tree", 5, 2, true},
	{"openat2", 5, 6, true},
	{"pidfd_getfd", 5, 6, false},
	{"pidfd_open", 5, 3, true},
	{"pidfd_send_signal", 5, 1, false},
	{"seccomp", 3, 17, false},
	{"statx", 4, 11, true},
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

// Error says which call it was and, as far as the kernel's version and the process' own filter
// tell, why it was not made.
func (e *callError) Error() string {
	text := e.Call + ": " + e.Err.Error()
	for _, c := range calls {
		switch {
		case c.name != e.Call:
		case e.Err == unix.ENOSYS:
			return text + whyMissing(e.Call, c.major, c.minor)
		case c.denied && filtered():
			return text + " (a seccomp filter around the runtime may refuse " + e.Call + ")"
		default:
			return text
		}
	}
	if e.Err == unix.ENOSYS { // every Linux has it
		text += " (a seccomp filter or a sandbox around the runtime refuses it)"
	}
	return text
}

// WhyMissing explains ENOSYS of a system call by its name, in words to stand in parentheses.
func WhyMissing(call string) string {
	for _, c := range calls {
		if c.name == call {
			return call + ": " + strings.Trim(whyMissing(call, c.major, c.minor), " ()")
		}
	}
	return call + ": a seccomp filter or a sandbox around the runtime refuses it"
}

func (e *callError) Unwrap() error { return e.Err }

// whyMissing explains ENOSYS of a call that Linux has since a version.
func whyMissing(call string, major, minor int) string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	release := unix.ByteSliceToString(name.Release[:])
	if older(release, major, minor) {
		return fmt.Sprintf(" (this requires Linux %d.%d, this is %s)", major, minor, release)
	}
	return fmt.Sprintf(" (Linux has %s since %d.%d, this is %s: a seccomp filter or a sandbox around the runtime refuses it)", call, major, minor, release)
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

// filtered tells whether this process is under a seccomp filter, which its children inherited.
func filtered() bool {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err == nil && mode == unix.SECCOMP_MODE_FILTER
}
