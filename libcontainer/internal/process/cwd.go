package process

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

// CreateCwd makes the working directory with mode 0755, and what is missing above it, if it does
// not exist. The root must still be writable. The spec asks that the directory exists; Docker and
// runc make it.
func (p *Plan) CreateCwd(root Root) error {
	if fd, err := root.find(p.Cwd); err == nil {
		return unix.Close(fd)
	} else if !errors.Is(err, unix.ENOENT) {
		return nil // AddCwd will say why
	}
	old := unix.Umask(0)
	defer unix.Umask(old)
	for i := 1; i <= len(p.Cwd); i++ {
		if i < len(p.Cwd) && p.Cwd[i] != '/' {
			continue
		}
		err := makeDir(root, p.Cwd[:i])
		if errors.Is(err, errNoPlace) {
			return nil // as above
		}
		if err != nil {
			return specconv.Fieldf(p.At+"/cwd", "create cwd %q: mkdir %q: %w", p.Cwd, p.Cwd[:i], err)
		}
	}
	return nil
}

// errNoPlace tells of a procfs: nothing can be made there, and links lead elsewhere for others.
var errNoPlace = errors.New("a procfs has no place for a directory")

func makeDir(root Root, path string) error {
	parent, err := root.findFor(filepath.Dir(path), unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(parent, &fs); err == nil && fs.Type == unix.PROC_SUPER_MAGIC {
		return errNoPlace
	}
	if err := unix.Mkdirat(parent, filepath.Base(path), 0o755); !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// Entering is the change to the working directory: begun by AddCwd before the change of user, ended
// by AddAgain after it.
type Entering struct {
	plan    *Plan
	root    Root    // for errors
	entered uintptr // a byte that is 1 once it is done
	buf     uintptr
}

// AddCwd changes to the working directory, which is looked up without magic links, and then makes
// sure that the process really is below its root: an fd that leaked from the host, reached by a
// path such as /proc/self/fd/7, must not be a way out (CVE-2024-21626).
//
// It comes before the change of user, and is tried again after it if it was not permitted: on a
// file system such as NFS with squashed root, or in a directory that only the container's user may
// search, root may be the one who is refused. root is the container's, for errors.
func (p *Plan) AddCwd(l *calls.List, root Root) *Entering {
	e := &Entering{plan: p, root: root, entered: l.Room(8), buf: l.Room(unix.PathMax)}
	after := l.Place()
	e.add(l, []unix.Errno{unix.EACCES, unix.EPERM}, after)
	l.Do(calls.Set, e.entered, 1)
	l.Add(after)
	return e
}

// AddAgain tries after the change of user what was not permitted before it.
func (e *Entering) AddAgain(l *calls.List) {
	after := l.Place()
	again := l.Do(calls.Equal, e.entered, 0, uintptr(unix.EALREADY))
	again.Expect, again.Else = []unix.Errno{unix.EALREADY}, after
	e.add(l, nil, nil)
	l.Add(after)
}

// add adds one attempt, which goes elsewhere after the errors in expect. The process's root is the
// container's by then, so that the lookup needs no RESOLVE_IN_ROOT, under which any rename or mount
// on the machine may fail a ".." (EAGAIN).
func (e *Entering) add(l *calls.List, expect []unix.Errno, elsewhere *calls.Call) {
	explain := func(errno unix.Errno) error { return e.plan.cwdError(e.root, errno) }
	opens := l.OpenDirectory(e.plan.Cwd, e.names)
	open := opens[len(opens)-1]
	fchdir := l.On(open.Result, unix.SYS_FCHDIR)
	for _, c := range append(opens, fchdir) {
		c.Explain, c.Expect, c.Else = explain, expect, elsewhere
	}
	l.On(open.Result, unix.SYS_CLOSE) // a container that waits for its start shows it otherwise
	e.plan.addVerifyCwd(l, e.buf)
}

// names are those of the way to the working directory, without symbolic links as far as the caller
// can see.
func (e *Entering) names() []string {
	names, err := linux.Unlinked(int(e.root.Dir.Fd()), e.plan.Cwd)
	if err != nil {
		names = strings.FieldsFunc(filepath.Clean(e.plan.Cwd), func(r rune) bool { return r == '/' })
	}
	return names
}

// addVerifyCwd fails if the current directory is not below the root directory: the kernel puts
// "(unreachable)" in front of such a path (getcwd(2)), and gives ENOENT for a directory that is
// deleted. buf has room for a path.
func (p *Plan) addVerifyCwd(l *calls.List, buf uintptr) {
	l.Do(unix.SYS_GETCWD, buf, unix.PathMax).Or("cwd %q: getcwd", p.Cwd)
	l.Do(calls.Equal, buf, '/', uintptr(unix.EXDEV)).Explain = func(unix.Errno) error { return p.cwdOutside() }
}

func (p *Plan) cwdError(root Root, err error) error {
	return specconv.Fieldf(p.At+"/cwd", "chdir to cwd %q: %w%s", p.Cwd, err, p.cwdHint(root, err))
}

// cwdHint explains an error of the change to the working directory.
func (p *Plan) cwdHint(root Root, err error) string {
	switch {
	case errors.Is(err, unix.ELOOP) && strings.HasPrefix(p.Cwd, "/proc/"):
		return " (it leads through a magic link, which could lead out of the container)"
	case errors.Is(err, unix.ENOTDIR):
		if file := root.NotDirectory(p.Cwd + "/."); file != "" {
			return fmt.Sprintf(" (%q is a file)", file)
		}
	case isPermission(err):
		if reason := p.DeniedBy(root, p.Cwd+"/."); reason != "" {
			return " (" + reason + ")"
		}
	}
	return ""
}

func (p *Plan) cwdOutside() error {
	return specconv.Fieldf(p.At+"/cwd", "cwd %q is outside of the container's root: possible container breakout detected", p.Cwd)
}
