package process

import (
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ExecError says why a program can't be run. Its text is what engines look for (Go's os/exec and
// runc have the same): what follows the cause is a hint for people, in words that no engine takes
// for another cause.
type ExecError struct {
	// Prefix is `exec: "name": ` for an error of the look-up, and `exec /path: ` for one of execve.
	Prefix string
	Err    error
	// Hint is the reason behind the reason, or empty.
	Hint string
}

func (e *ExecError) Error() string { return e.Plain() + parens(e.Hint) }

// Plain gives the text without the hint.
func (e *ExecError) Plain() string { return e.Prefix + e.Err.Error() }

// Unwrap gives the cause.
func (e *ExecError) Unwrap() error { return e.Err }

func parens(hint string) string {
	if hint == "" {
		return ""
	}
	return " (" + hint + ")"
}

type constError string

func (e constError) Error() string { return string(e) }

// ErrNotFound is the cause if no directory of PATH has the program.
const ErrNotFound = constError("executable file not found in $PATH")

// candidate is the path of a name in a directory of PATH.
func candidate(dir, name string) string {
	if dir == "" {
		return "./" + name
	}
	return filepath.Join(dir, name)
}

// deniedCandidate explains why a file of the right name in a directory of PATH is not taken.
func (p *Plan) deniedCandidate(root Root, path string) string {
	if reason := p.Hint(root, path, unix.EACCES); reason != "" {
		return path + ": " + reason
	}
	return ""
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // a bare errno
			return err
		}
	}
}

// errnoOf returns the errno in err, or 0.
func errnoOf(err error) unix.Errno {
	if pe, ok := err.(*fs.PathError); ok { //nolint:errorlint // as package os returns it
		err = pe.Err
	}
	errno, _ := err.(unix.Errno) //nolint:errorlint // a bare errno
	return errno
}

// ExecFailure is the error for an execve of path that failed with errno. hint may come from Hint.
func ExecFailure(path string, errno unix.Errno, hint string) *ExecError {
	return &ExecError{Prefix: "exec " + path + ": ", Err: errno, Hint: hint}
}
