package process

import (
	"bytes"
	"fmt"
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

// mayExecute tells whether the mode of a file gives who the right to execute it, or to search it if it is a directory. Root
// needs one execute bit, of whomever, and may search everything (capabilities are not looked at).
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

// Hint explains, in the container's terms, why path can't be executed: what is missing, or which part of the path refuses. It
// returns "" if it finds nothing that a person would not know from the errno. root is a directory fd of the container's root: of
// the thread's own or, for a caller outside, of /proc/PID/root. It opens and reads files, so it is not for a thread that has
// loaded the container's seccomp filter.
func (p *Plan) Hint(root int, path string, errno unix.Errno) string {
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
	case unix.ENOENT, unix.EACCES, unix.ENOEXEC, unix.ELIBBAD, unix.EINVAL, unix.ELOOP:
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

// inspect looks at the file at path and, for a script or a dynamically linked program, at its interpreter.
func (p *Plan) inspect(root int, path string, errno unix.Errno, depth int) string {
	if depth > maxInterpreters {
		return "its #! lines lead from script to script too often"
	}
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
	if interpreter == "" {
		return ""
	}
	if strings.HasSuffix(interpreter, "\r") && errno == unix.ENOENT {
		return fmt.Sprintf("its #! line ends in a carriage return, as on Windows, so that %q is sought", interpreter)
	}
	resolved := interpreter
	if !filepath.IsAbs(resolved) {
		resolved = filepath.Join(p.Cwd, resolved)
	}
	if errno == unix.ENOENT {
		if fd, err := openInRoot(root, resolved, unix.O_PATH); err == nil {
			unix.Close(fd)
		} else if err == unix.ENOENT {
			return fmt.Sprintf("its %s %q is missing in the container", kind, interpreter)
		}
	}
	if reason := p.inspect(root, resolved, errno, depth+1); reason != "" {
		return fmt.Sprintf("its %s %q: %s", kind, interpreter, reason)
	}
	return ""
}

// refuses tells what about the file itself denies execution.
func (f *program) refuses(who user) string {
	mode := f.st.Mode & 0o7777
	switch {
	case f.st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "it is no regular file"
	case f.noexec:
		return "it is on a file system that is mounted noexec"
	case f.st.Mode&0o111 == 0:
		return fmt.Sprintf("its mode %04o has no execute bit", mode)
	case !who.mayExecute(&f.st):
		return fmt.Sprintf("its mode %04o and owner %d:%d let uid %d not execute it", mode, f.st.Uid, f.st.Gid, who.uid)
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

// deniedBy returns the first directory on the way to path that who, or the calling thread, may not search.
func deniedBy(root int, path string, who user) string {
	var st unix.Stat_t
	for i := 1; i < len(path); i++ {
		if path[i-1] != '/' || i > 1 && path[i-2] == '/' {
			continue
		}
		dir := path[:i]
		if i > 1 {
			dir = path[:i-1]
		}
		fd, err := openInRoot(root, dir, unix.O_PATH)
		if err != nil {
			return ""
		}
		err = unix.Fstat(fd, &st)
		unix.Close(fd)
		if err != nil {
			return ""
		}
		next, err := openInRoot(root, path[:i+component(path[i:])], unix.O_PATH)
		if err == nil {
			unix.Close(next)
		}
		if isPermission(err) || st.Mode&unix.S_IFMT == unix.S_IFDIR && !who.mayExecute(&st) {
			return fmt.Sprintf("directory %q, mode %04o, owner %d:%d, may not be searched by uid %d",
				dir, st.Mode&0o7777, st.Uid, st.Gid, who.uid)
		}
	}
	return ""
}

// component returns the length of the first component of a relative path.
func component(path string) int {
	for i := range len(path) {
		if path[i] == '/' {
			return i
		}
	}
	return len(path)
}

// notDirectory returns which component of path is a file where a directory should be.
func notDirectory(root int, path string) string {
	var st unix.Stat_t
	for i := 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		fd, err := openInRoot(root, path[:i], unix.O_PATH)
		if err != nil {
			return ""
		}
		err = unix.Fstat(fd, &st)
		unix.Close(fd)
		if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return fmt.Sprintf("%q is a file", path[:i])
		}
	}
	return ""
}
