package program

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Error says why a program can't be run. Its text is what engines look for (Go's os/exec and runc
// have the same): what follows the cause is a hint for people, in words that no engine takes for
// another cause.
type Error struct {
	// Prefix is `exec: "name": ` for an error of the look-up, and `exec /path: ` for one of execve.
	Prefix string
	Err    error
	// Hint is the reason behind the reason, or empty.
	Hint string
}

func (e *Error) Error() string {
	text := e.Prefix + e.Err.Error()
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// constError is an error that costs nothing at the start, as a variable would.
type constError string

func (e constError) Error() string { return string(e) }

// errNotFound is the cause if no directory of PATH has the program.
const errNotFound = constError("executable file not found in $PATH")

// errnoOf returns the errno in err, or 0.
func errnoOf(err error) unix.Errno {
	if pe, ok := err.(*fs.PathError); ok { //nolint:errorlint // as package os returns it
		err = pe.Err
	}
	errno, _ := err.(unix.Errno) //nolint:errorlint // a bare errno
	return errno
}

// ExecFailure is the error for an execve of path that failed with errno. hint may come from Hint.
func ExecFailure(path string, errno unix.Errno, hint string) *Error {
	return &Error{Prefix: "exec " + path + ": ", Err: errno, Hint: hint}
}
