package process

import (
	"bytes"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxInterpreters is how deep the kernel follows #! lines (fs/exec.c).
const maxInterpreters = 5

// user is who an access is judged for, by the mode of a file.
type user struct {
	uid, gid uint32
	groups   []uint32
}

func (p *Plan) who() user { return user{p.UID, p.GID, p.Groups} }

// mayExecute tells whether the mode of a file gives who the right to execute it, or to search it if
// it is a directory. Root needs one execute bit, of whomever, and may search everything
// (capabilities are not looked at).
func (who user) mayExecute(st *unix.Stat_t) bool {
	switch {
	case who.uid == 0:
		return st.Mode&0o111 != 0 || st.Mode&unix.S_IFMT == unix.S_IFDIR
	case who.uid == st.Uid:
		return st.Mode&0o100 != 0
	case who.gid == st.Gid || slices.Contains(who.groups, st.Gid):
		return st.Mode&0o010 != 0
	}
	return st.Mode&0o001 != 0
}

// Hint explains, in the container's terms, why path can't be executed: what is missing, or which
// part of the path refuses. It returns "" if it finds nothing that a person would not know from the
// errno. root is the thread's own or, for a caller outside, that of /proc/PID/root. It opens and
// reads files, so it is not for a thread that has loaded the container's seccomp filter.
func (p *Plan) Hint(root Root, path string, errno unix.Errno) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.Cwd, path)
	}
	switch errno {
	case unix.ENOTDIR:
		return notDirectory(root, path)
	case unix.E2BIG:
		return fmt.Sprintf("arguments and environment together have %d bytes", size(p.Args)+size(p.Env))
	case unix.ETXTBSY:
		return "the file is open for writing"
	case unix.ELOOP:
		return tooDeep(root, path)
	case unix.ENOENT, unix.EACCES, unix.ENOEXEC, unix.ELIBBAD, unix.EINVAL:
		return p.inspect(root, path, errno, 0)
	}
	return ""
}

func size(list []string) (n int) {
	for _, s := range list {
		n += len(s) + 1
	}
	return n
}

// tooDeep tells a script that leads to too many others from a path with too many symbolic links.
func tooDeep(root Root, path string) string {
	file, err := openProgram(root, path)
	if err != nil {
		return ""
	}
	defer file.Close()
	return "its #! lines lead from script to script too often"
}

// inspect looks at the file at path and, for a script or a dynamically linked program, at its
// interpreter.
func (p *Plan) inspect(root Root, path string, errno unix.Errno, depth int) string {
	file, err := openProgram(root, path)
	if err != nil {
		if errno == unix.EACCES && isPermission(err) {
			return deniedBy(root, path, p.who())
		}
		return ""
	}
	defer file.Close()
	if errno == unix.EACCES {
		if reason := file.refuses(p.who()); reason != "" {
			return reason
		}
	}
	if reason := file.malformed(errno); reason != "" {
		return reason
	}
	interpreter, kind := file.interpreter()
	if interpreter == "" || depth == maxInterpreters {
		return ""
	}
	resolved := interpreter
	if !filepath.IsAbs(resolved) {
		resolved = filepath.Join(p.Cwd, resolved)
	}
	if errno == unix.ENOENT {
		if _, err := root.stat(resolved); err == unix.ENOENT { //nolint:errorlint // a bare errno
			return missing(interpreter, kind)
		}
	}
	if reason := p.inspect(root, resolved, errno, depth+1); reason != "" {
		return fmt.Sprintf("its %s %q: %s", kind, interpreter, reason)
	}
	return ""
}

// Foresee tells with which errno execve(2) of path is going to fail, and why, or returns 0 if it
// sees no reason. It is for a thread that is about to load the container's seccomp filter, after
// which it can't look any more; it looks for what is common in images and costs some ten system
// calls. root is as for Hint.
func (p *Plan) Foresee(root Root, path string) (unix.Errno, string) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.Cwd, path)
	}
	file, err := openProgram(root, path)
	if err != nil || file.head == nil {
		return 0, "" // Lookup has told, or the content is not for our eyes
	}
	defer file.Close()
	if reason := file.malformed(unix.ENOEXEC); reason != "" {
		return unix.ENOEXEC, reason
	}
	interpreter, kind := file.interpreter()
	if !filepath.IsAbs(interpreter) {
		return 0, ""
	}
	st, err := root.stat(interpreter)
	switch {
	case err == unix.ENOENT: //nolint:errorlint // a bare errno
		return unix.ENOENT, missing(interpreter, kind)
	case err == nil && st.Mode&0o111 == 0:
		return unix.EACCES, fmt.Sprintf("its %s %q: %s", kind, interpreter, noExecuteBit(&st))
	}
	return 0, ""
}

func noExecuteBit(st *unix.Stat_t) string {
	return fmt.Sprintf("its mode %04o has no execute bit", st.Mode&0o7777)
}

func missing(interpreter, kind string) string {
	if strings.HasSuffix(interpreter, "\r") {
		return fmt.Sprintf("its #! line ends in a carriage return, as on Windows, so that %q is sought", interpreter)
	}
	return fmt.Sprintf("its %s %q is missing in the container", kind, interpreter)
}

// refuses tells what about the file itself denies execution.
func (f *program) refuses(who user) string {
	switch {
	case f.st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return "it is a directory"
	case f.st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "it is not a regular file"
	case f.noexec():
		return "it is on a file system that is mounted noexec"
	case f.st.Mode&0o111 == 0:
		return noExecuteBit(&f.st)
	case !who.mayExecute(&f.st):
		return fmt.Sprintf("its mode %04o and owner %d:%d do not let uid %d execute it", f.st.Mode&0o7777, f.st.Uid, f.st.Gid, who.uid)
	}
	return ""
}

// malformed tells what about the content keeps the kernel from executing it.
func (f *program) malformed(errno unix.Errno) string {
	if errno != unix.ENOEXEC && errno != unix.ELIBBAD && errno != unix.EINVAL {
		return ""
	}
	switch {
	case f.head == nil:
		return ""
	case len(f.head) == 0:
		return "the file is empty"
	case bytes.HasPrefix(f.head, []byte("#!")):
		if name, _ := shebang(f.head); name == "" {
			return "its #! line names no interpreter"
		}
		return ""
	case !bytes.HasPrefix(f.head, []byte(elfMagic)):
		return "it is neither an ELF program nor a script that begins with #!"
	}
	header, err := parseELF(f.head)
	if err != nil {
		return "its ELF header is damaged: " + err.Error()
	}
	if native := nativeMachine(); native != 0 && header.machine != native {
		return fmt.Sprintf("it is a program for %s, this machine is %s", machineName(header.machine), machineName(native))
	}
	return ""
}

// deniedBy returns the first directory on the way to path that who, or the calling thread, may not
// search.
func deniedBy(root Root, path string, who user) string {
	for dir, child := range steps(path) {
		st, err := root.stat(dir)
		if err != nil {
			return ""
		}
		_, err = root.stat(child)
		if isPermission(err) || st.Mode&unix.S_IFMT == unix.S_IFDIR && !who.mayExecute(&st) {
			return fmt.Sprintf("directory %q, mode %04o, owner %d:%d, may not be searched by uid %d",
				dir, st.Mode&0o7777, st.Uid, st.Gid, who.uid)
		}
	}
	return ""
}

// notDirectory returns which component of path is a file where a directory should be.
func notDirectory(root Root, path string) string {
	for dir := range steps(path) {
		st, err := root.stat(dir)
		if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return fmt.Sprintf("%q is a file", dir)
		}
	}
	return ""
}

// steps gives each directory on the way to an absolute path, with the next component: "/", "/a" and
// "/a", "/a/b" for "/a/b".
func steps(path string) iter.Seq2[string, string] {
	return func(yield func(dir, child string) bool) {
		dir := "/"
		for name := range strings.SplitSeq(path, "/") {
			if name == "" {
				continue
			}
			child := strings.TrimSuffix(dir, "/") + "/" + name
			if !yield(dir, child) {
				return
			}
			dir = child
		}
	}
}
