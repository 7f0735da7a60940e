package program

import (
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/process"
)

// Missing tells why the program of a plan won't be found in a root that nobody has yet. covered
// says that a mount will be at a path or above it, so that what is there now doesn't count; there
// the program is taken to be. Which rights its user will have is not looked at. Errors say why in
// the words of os/exec.
func Missing(p *process.Plan, root process.Root, covered func(path string) bool) error {
	f := &Found{plan: p, root: root}
	if name := p.Args[0]; strings.Contains(name, "/") {
		return f.missing(name, covered)
	}
	for dir := range strings.SplitSeq(p.Path, ":") {
		path := candidate(dir, p.Args[0])
		if p.Args[0] == "" {
			break
		}
		if covered(f.inRoot(path)) {
			return nil
		}
		if kind, err := f.seen(path); err == nil {
			if kind == candidateFile {
				return nil
			}
			f.there = append(f.there, path)
		}
	}
	return f.notFound()
}

// missing is Missing for a path.
func (f *Found) missing(path string, covered func(string) bool) error {
	if covered(f.inRoot(path)) {
		return nil
	}
	switch kind, err := f.seen(path); {
	case err != nil:
		return f.failure(path, &fs.PathError{Op: "stat", Path: path, Err: err})
	case kind != candidateFile:
		return f.failure(path, unix.EACCES)
	}
	return nil
}

// MissingFile is Missing for a program at an absolute path that is not the plan's, such as a hook.
func MissingFile(path string, root process.Root, covered func(string) bool) error {
	p := &process.Plan{Args: []string{path}, Cwd: "/"}
	return (&Found{plan: p, root: root}).missing(path, covered)
}

// IsFailure tells whether an error is one of this package: of a program, and not of the process
// that is to become it.
func IsFailure(err error) bool {
	_, ok := errors.AsType[*failure](err)
	return ok
}
