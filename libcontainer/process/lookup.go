package process

import (
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ExecError says why a program can't be run. Its text is what engines look for (Go's os/exec and runc have the same): what
// follows the cause is a hint for people, in words that no engine takes for another cause.
type ExecError struct {
	// Prefix is `exec: "name": ` for an error of Lookup, and `exec /path: ` for one of execve.
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

// Lookup returns the path that execve(2) shall get for Args[0], found like execvp(3) does: as it is if it has a slash, else in
// the directories of Path, of which an empty one is the current directory. The calling thread must already be in the container's
// root, in its working directory and have the container's user and capabilities. root is that root, used to
// explain errors, which are *ExecError.
func (p *Plan) Lookup(root Root) (string, error) {
	name := p.Args[0]
	fail := func(err error, hint string) (string, error) {
		return "", &ExecError{Prefix: `exec: "` + name + `": `, Err: err, Hint: hint}
	}
	if strings.Contains(name, "/") {
		if err := executable(name); err != nil {
			return fail(err, p.Hint(root, name, errnoOf(err)))
		}
		return name, nil
	}
	hint := ""
	for dir := range strings.SplitSeq(p.Path, ":") {
		if name == "" {
			break
		}
		path := candidate(dir, name)
		err := executable(path)
		if err == nil {
			return path, nil
		}
		if hint == "" && errnoOf(err) == unix.EACCES {
			hint = p.deniedCandidate(root, path)
		}
	}
	return fail(ErrNotFound, hint)
}

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

// executable returns nil if the calling thread may execute path, and else the error that os/exec.LookPath has for it.
func executable(path string) error {
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Stat(path, &st) }); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EACCES // as of execve(2); Podman knows no other cause for exit status 126
	}
	err := unix.Faccessat2(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS)
	if err == unix.EPERM || err == unix.ENOSYS {
		// A seccomp filter around the runtime that does not know faccessat2(2).
		if st.Mode&0o111 != 0 {
			return nil
		}
		return unix.EACCES
	}
	return err
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
