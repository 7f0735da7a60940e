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
	root   Root
	paths  []string // the candidates
	there  []string // what there is in the directories of Path, to explain why nothing of it was taken
	chosen uintptr  // a byte with the number of the one that may be executed
}

// AddLookup is Lookup. root is the container's: there is looked for the candidates among the directories
// of Path, and the process sees which of them it may execute. An error says that there is none, or is batch.ErrUnavailable: a
// seccomp filter around the runtime doesn't know faccessat2(2), for which Lookup has a way out.
func (p *Plan) AddLookup(l *batch.List, root Root) (*Found, error) {
	if err := unix.Faccessat2(unix.AT_FDCWD, "/", unix.X_OK, unix.AT_EACCESS); err == unix.EPERM || err == unix.ENOSYS {
		return nil, batch.ErrUnavailable
	}
	name := p.Args[0]
	f := &Found{plan: p, root: root, paths: []string{name}, chosen: l.Room(8)}
	if strings.Contains(name, "/") {
		if directory, err := p.seen(root, name); err == nil && directory {
			return nil, p.lookupError(root, name, unix.EACCES)
		}
		f.addPath(l, name)
		return f, nil
	}
	f.find()
	if len(f.paths) == 0 {
		return nil, f.notFound()
	}
	f.addSearch(l)
	return f, nil
}

// lookupError is the error that Lookup has for a path.
func (p *Plan) lookupError(root Root, path string, err error) error {
	return &ExecError{Prefix: `exec: "` + p.Args[0] + `": `, Err: err, Hint: p.Hint(root, path, errnoOf(err))}
}

// inRoot is a path as seen from the container's root.
func (p *Plan) inRoot(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return p.Cwd + "/" + path
}

// seen looks at a path from outside of the container: is there anything, and is it a directory?
func (p *Plan) seen(root Root, path string) (directory bool, err error) {
	fd, err := root.open(p.inRoot(path))
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, err
}

// find finds the paths in the directories of Path under which the program may be: all but those where there is nothing or a
// directory, whoever looks. A path relative to the working directory stays: that one may be what is missing, which the process
// finds out first.
func (f *Found) find() {
	f.paths = nil
	for dir := range strings.SplitSeq(f.plan.Path, ":") {
		if f.plan.Args[0] == "" {
			break
		}
		path := candidate(dir, f.plan.Args[0])
		directory, err := f.plan.seen(f.root, path)
		missing := err == unix.ENOENT || err == unix.ENOTDIR //nolint:errorlint // a bare errno
		if !missing {
			f.there = append(f.there, path)
		}
		if directory || missing && path[0] == '/' || len(f.paths) == maxCandidates {
			continue
		}
		f.paths = append(f.paths, path)
	}
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
	here, done := unix.AT_FDCWD, l.Place()
	for i, path := range f.paths {
		access := l.Do(unix.SYS_FACCESSAT2, uintptr(here), l.Text(path), unix.X_OK, unix.AT_EACCESS)
		choose := &batch.Call{Number: batch.Set, Args: [6]uintptr{f.chosen, uintptr(i)}, Then: done}
		if i < len(f.paths)-1 {
			access.Expect = []unix.Errno{batch.Any}
			access.Then, access.Else = choose, l.Place()
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
	e := &ExecError{Prefix: `exec: "` + f.plan.Args[0] + `": `, Err: ErrNotFound}
	for _, path := range f.there {
		if e.Hint = f.plan.deniedCandidate(f.root, path); e.Hint != "" {
			break
		}
	}
	return e
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
			other.Expect, other.Else = []unix.Errno{unix.EAGAIN}, l.Place()
			l.Add(exec)
			l.Add(other.Else)
			continue
		}
		l.Add(exec)
	}
}
