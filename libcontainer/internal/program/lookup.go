// Package program finds the program that process.args names, executes it, and says why that can't
// be done: what of the path, of the file, or of its interpreter is missing or refuses.
//
// It comes after all that package process does, for the process that is the program's user by then:
//
//	AddLookup
//	… wait for start, load the filter …
//	Found.AddExec
package program

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/process"
)

// Found is a program that calls of a list look up and execute.
type Found struct {
	plan   *process.Plan
	root   process.Root
	asks   bool     // the process can ask for its rights, see AddLookup
	paths  []string // the candidates
	there  []string // what there is in the directories of Path, to explain why nothing of it was taken
	chosen uintptr  // the number of the one that may be executed
	number *[8]byte // the same, in a list of this process

	reopen   func() *os.File // see Reopen
	foresees bool            // see Foresee:
	expected unix.Errno      // what execve will fail with, or 0
	hint     string          // and why
}

// AddLookup adds the search of the path that execve(2) shall get for Args[0], found like execvp(3)
// does: as it is if it has a slash, else in the directories of Path, of which an empty one is the
// current directory. root is the container's: there is looked for the candidates, and the process,
// which is in its working directory and has the user and the capabilities of the program, sees
// which of them it may execute. Errors say why in the words of os/exec.
//
// Where a seccomp filter around the runtime doesn't know faccessat2(2), a file that somebody may
// execute is taken.
func AddLookup(l *calls.List, p *process.Plan, root process.Root) (*Found, error) {
	name := p.Args[0]
	f := &Found{plan: p, root: root, paths: []string{name}}
	f.chosen, f.number = l.Word()
	err := unix.Faccessat2(unix.AT_FDCWD, "/", unix.X_OK, unix.AT_EACCESS)
	f.asks = err != unix.EPERM && err != unix.ENOSYS
	if strings.Contains(name, "/") {
		if kind, err := f.seen(name); err == nil && kind != candidateFile {
			return nil, f.failure(name, unix.EACCES) // as of execve(2); Podman knows no other cause for exit status 126
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

// failure is the error for a path.
func (f *Found) failure(path string, err error) error {
	e := &failure{Prefix: `exec: "` + f.plan.Args[0] + `": `, Err: err, Hint: Hint(f.plan, f.root, path, errnoOf(err))}
	if e.Hint == "" && errnoOf(err) == unix.ENOENT {
		e.Hint = misspelt(f.plan.Args[0], f.exists)
	}
	return locate(f.plan, e)
}

// exists tells whether a name leads to a file, as it is or in a directory of PATH.
func (f *Found) exists(name string) bool {
	if strings.Contains(name, "/") {
		kind, err := f.seen(name)
		return err == nil && kind != directory
	}
	for dir := range strings.SplitSeq(f.plan.Path, ":") {
		if kind, err := f.seen(candidate(dir, name)); err == nil && kind != directory {
			return true
		}
	}
	return false
}

// inRoot is a path as seen from the container's root.
func (f *Found) inRoot(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return f.plan.Cwd + "/" + path
}

// What a path may lead to, for who wants to execute it.
const (
	directory = iota
	inert     // a file that nobody may execute, where the process can't ask for its own rights
	candidateFile
)

// seen looks at a path from outside of the container: is there anything, and what?
func (f *Found) seen(path string) (kind int, err error) {
	st, err := f.root.Stat(f.inRoot(path))
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return directory, err
	case !f.asks && st.Mode&0o111 == 0:
		return inert, err
	}
	return candidateFile, err
}

// find finds the paths in the directories of Path under which the program may be: all but those
// where there is nothing or a directory, whoever looks. A path relative to the working directory
// stays: that one may be what is missing, which the process finds out first.
func (f *Found) find() {
	f.paths = nil
	for dir := range strings.SplitSeq(f.plan.Path, ":") {
		if f.plan.Args[0] == "" {
			break
		}
		path := candidate(dir, f.plan.Args[0])
		kind, err := f.seen(path)
		missing := err == unix.ENOENT || err == unix.ENOTDIR //nolint:errorlint // a bare errno
		if !missing {
			f.there = append(f.there, path)
		}
		if err == nil && kind != candidateFile || missing && path[0] == '/' || len(f.paths) == maxCandidates {
			continue
		}
		f.paths = append(f.paths, path)
	}
}

// maxCandidates bounds the candidates: the number of one is a byte.
const maxCandidates = 255

// addPath adds the calls for a name with a slash.
func (f *Found) addPath(l *calls.List, path string) {
	at, here := l.Text(path), unix.AT_FDCWD
	there := l.Do(unix.SYS_STATX, uintptr(here), at, 0, unix.STATX_TYPE, l.Room(sizeofStatx))
	there.Explain = func(errno unix.Errno) error {
		return f.failure(path, &fs.PathError{Op: "stat", Path: path, Err: errno})
	}
	if linux.Missing(unix.SYS_STATX) {
		there.Number, there.Args = unix.SYS_OPENAT, [6]uintptr{uintptr(here), at, unix.O_PATH | unix.O_CLOEXEC}
		there.Result = l.Room(8)
		l.On(there.Result, unix.SYS_CLOSE)
	}
	if f.asks {
		l.Do(unix.SYS_FACCESSAT2, uintptr(here), at, unix.X_OK, unix.AT_EACCESS).Explain = func(errno unix.Errno) error {
			return f.failure(path, errno)
		}
	}
}

const sizeofStatx = 256

// addSearch adds the calls that choose among the candidates.
func (f *Found) addSearch(l *calls.List) {
	here, done := unix.AT_FDCWD, l.Place()
	opens := !f.asks && linux.Missing(unix.SYS_STATX)
	for i, path := range f.paths {
		access := l.Do(unix.SYS_FACCESSAT2, uintptr(here), l.Text(path), unix.X_OK, unix.AT_EACCESS)
		switch {
		case f.asks:
		case opens: // what it opens is closed by the execve
			access.Number, access.Args = unix.SYS_OPENAT, [6]uintptr{uintptr(here), access.Args[1], unix.O_PATH | unix.O_CLOEXEC}
		default:
			access.Number, access.Args = unix.SYS_STATX, [6]uintptr{uintptr(here), access.Args[1], 0, unix.STATX_TYPE, l.Room(sizeofStatx)}
		}
		choose := &calls.Call{Number: calls.Set, Args: [6]uintptr{f.chosen, uintptr(i)}, Then: done}
		if i < len(f.paths)-1 {
			access.Expect = []unix.Errno{calls.Any}
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

// notFound is the error when no candidate may be executed.
func (f *Found) notFound() error {
	e := &failure{Prefix: `exec: "` + f.plan.Args[0] + `": `, Err: errNotFound}
	for _, path := range f.there {
		if e.Hint = f.deniedCandidate(path); e.Hint != "" {
			return locate(f.plan, e)
		}
	}
	e.Hint = misspelt(f.plan.Args[0], f.exists)
	return locate(f.plan, e)
}

// deniedCandidate explains why a file of the right name in a directory of PATH is not taken.
func (f *Found) deniedCandidate(path string) string {
	if reason := Hint(f.plan, f.root, path, unix.EACCES); reason != "" {
		return path + ": " + reason
	}
	return ""
}

// candidate is the path of a name in a directory of PATH.
func candidate(dir, name string) string {
	if dir == "" {
		return "./" + name
	}
	return filepath.Join(dir, name)
}

// Settle is for a look-up whose calls this process has made: AddExec executes what they have
// chosen, in whichever list.
func (f *Found) Settle() { f.paths = []string{f.paths[binary.LittleEndian.Uint64(f.number[:])]} }

// Foresee is for a thread that is about to load the container's seccomp filter, after which it
// can't look any more why an execve failed. See foresee.
func (f *Found) Foresee() {
	f.foresees = true
	f.renew()
	f.expected, f.hint = foresee(f.plan, f.root, f.paths[0])
}

// Reopen has explanations look through another procfs than that of the root, which is closed by
// then. nil is none.
func (f *Found) Reopen(open func() *os.File) { f.reopen = open }

func (f *Found) renew() {
	if f.reopen != nil {
		f.root.Proc = f.reopen()
	}
}

// execFailure is the error of an execve.
func (f *Found) execFailure(path string, errno unix.Errno) error {
	hint := ""
	switch {
	case !f.foresees:
		f.renew()
		hint = Hint(f.plan, f.root, path, errno)
	case errno == f.expected:
		hint = f.hint
	}
	return ExecFailure(f.plan, path, errno, hint)
}

// AddExec adds the execve. add, if it isn't nil, adds the call for a path in the place of just the
// call: twice.
func (f *Found) AddExec(l *calls.List, add func(path string, first, second *calls.Call)) {
	argv, envv := l.Vector(f.plan.Args), l.Vector(f.plan.Env)
	for i, path := range f.paths {
		exec := calls.Call{Number: unix.SYS_EXECVE, Args: [6]uintptr{l.Text(path), argv, envv}}
		first := exec
		exec.Explain = func(errno unix.Errno) error { return f.execFailure(path, errno) }
		var other *calls.Call
		if i < len(f.paths)-1 {
			other = l.Do(calls.Equal, f.chosen, uintptr(i), uintptr(unix.EAGAIN))
			other.Expect, other.Else = []unix.Errno{unix.EAGAIN}, l.Place()
		}
		if add == nil {
			l.Add(&exec)
		} else {
			add(path, &first, &exec)
		}
		if other != nil {
			l.Add(other.Else)
		}
	}
}
