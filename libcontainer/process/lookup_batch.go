package process

import (
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/batch"
)

// Found is a program that a batch looks up, as Lookup does, and executes.
type Found struct {
	plan   *Plan
	root   int
	paths  []string // the candidates
	chosen uintptr  // a byte with the number of the one that may be executed
}

// AddLookup is Lookup. root is a directory fd of the container's root: there is looked for the candidates among the directories
// of Path, and the process sees which of them it may execute. An error says that there is none.
func (p *Plan) AddLookup(l *batch.List, root int) (*Found, error) {
	name := p.Args[0]
	f := &Found{plan: p, root: root, paths: []string{name}, chosen: l.Room(8)}
	if strings.Contains(name, "/") {
		if p.isDirectory(root, name) {
			return nil, p.lookupError(root, name, unix.EACCES)
		}
		f.addPath(l, name)
		return f, nil
	}
	var hint string
	if f.paths, hint = p.candidates(root); len(f.paths) == 0 {
		return nil, p.notFound(hint)
	}
	f.addSearch(l)
	return f, nil
}

// lookupError is the error that Lookup has for a path.
func (p *Plan) lookupError(root int, path string, err error) error {
	return &ExecError{Prefix: `exec: "` + p.Args[0] + `": `, Err: err, Hint: p.Hint(root, path, errnoOf(err))}
}

func (p *Plan) notFound(hint string) error {
	return &ExecError{Prefix: `exec: "` + p.Args[0] + `": `, Err: ErrNotFound, Hint: hint}
}

// inRoot is a path as seen from the container's root.
func (p *Plan) inRoot(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return p.Cwd + "/" + path
}

func (p *Plan) isDirectory(root int, path string) bool {
	fd, err := openInRoot(root, p.inRoot(path), unix.O_PATH|unix.O_DIRECTORY)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil
}

// candidates are the paths in the directories of Path under which the program may be: all but those where there is nothing or
// a directory, whoever looks. hint explains the first directory.
func (p *Plan) candidates(root int) (paths []string, hint string) {
	for dir := range strings.SplitSeq(p.Path, ":") {
		if p.Args[0] == "" {
			break
		}
		path := candidate(dir, p.Args[0])
		fd, err := openInRoot(root, p.inRoot(path), unix.O_PATH)
		if err == nil {
			unix.Close(fd)
		}
		switch {
		case err == unix.ENOENT || err == unix.ENOTDIR:
		case err == nil && p.isDirectory(root, path):
			if hint == "" {
				hint = p.deniedCandidate(root, path)
			}
		case len(paths) < maxCandidates:
			paths = append(paths, path)
		}
	}
	return paths, hint
}

// maxCandidates bounds the candidates of a batch: the number of one is a byte.
const maxCandidates = 255

// addPath adds the calls for a name with a slash.
func (f *Found) addPath(l *batch.List, path string) {
	at, here := l.Text(path), unix.AT_FDCWD
	l.Do(unix.SYS_STATX, uintptr(here), at, 0, unix.STATX_TYPE, l.Room(sizeofStatx)).Explain = func(errno unix.Errno) error {
		return f.plan.lookupError(f.root, path, &fs.PathError{Op: "stat", Path: path, Err: errno})
	}
	l.Do(unix.SYS_FACCESSAT2, uintptr(here), at, unix.X_OK, unix.AT_EACCESS).Explain = func(errno unix.Errno) error {
		return f.plan.lookupError(f.root, path, errno)
	}
}

const sizeofStatx = 256

// addSearch adds the calls that choose among the candidates.
func (f *Found) addSearch(l *batch.List) {
	here, done := unix.AT_FDCWD, batch.Place()
	for i, path := range f.paths {
		access := l.Do(unix.SYS_FACCESSAT2, uintptr(here), l.Text(path), unix.X_OK, unix.AT_EACCESS)
		choose := &batch.Call{Number: batch.Set, Args: [6]uintptr{f.chosen, uintptr(i)}, Then: done}
		if i < len(f.paths)-1 {
			access.Expect = []unix.Errno{batch.Any}
			access.Then, access.Else = choose, batch.Place()
			l.Add(choose)
			l.Add(access.Else)
			continue
		}
		access.Explain = func(unix.Errno) error { return f.notFound() }
		l.Add(choose)
	}
	l.Add(done)
}

// notFound is Lookup's error when no candidate may be executed.
func (f *Found) notFound() error {
	for _, path := range f.paths {
		if hint := f.plan.deniedCandidate(f.root, path); hint != "" {
			return f.plan.notFound(hint)
		}
	}
	return f.plan.notFound("")
}

// AddExec adds the execve.
func (f *Found) AddExec(l *batch.List) {
	argv, envv := l.Vector(f.plan.Args), l.Vector(f.plan.Env)
	for i, path := range f.paths {
		exec := &batch.Call{Number: unix.SYS_EXECVE, Args: [6]uintptr{l.Text(path), argv, envv}}
		exec.Explain = func(errno unix.Errno) error {
			return ExecFailure(path, errno, f.plan.Hint(f.root, path, errno))
		}
		if i < len(f.paths)-1 {
			other := l.Do(batch.Equal, f.chosen, uintptr(i), uintptr(unix.EAGAIN))
			other.Expect, other.Else = []unix.Errno{unix.EAGAIN}, batch.Place()
			l.Add(exec)
			l.Add(other.Else)
			continue
		}
		l.Add(exec)
	}
}
