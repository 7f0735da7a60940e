package program

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/process"
)

// maxInterpreters is how deep the kernel follows #! lines (fs/exec.c).
const maxInterpreters = 5

// Hint explains, in the container's terms, why path can't be executed: what is missing, or which
// part of the path refuses. It returns "" if it finds nothing that a person would not know from the
// errno. root is the thread's own or, for a caller outside, that of /proc/PID/root. It opens and
// reads files, so it is not for a thread that has loaded the container's seccomp filter.
func Hint(p *process.Plan, root process.Root, path string, errno unix.Errno) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.Cwd, path)
	}
	switch errno {
	case unix.ENOTDIR:
		if file := root.NotDirectory(path); file != "" {
			return fmt.Sprintf("%q is a file", file)
		}
	case unix.E2BIG:
		return fmt.Sprintf("arguments and environment together have %d bytes", size(p.Args)+size(p.Env))
	case unix.ETXTBSY:
		return "the file is open for writing"
	case unix.ELOOP:
		return tooDeep(root, path)
	case unix.ENOENT, unix.EACCES, unix.ENOEXEC, unix.ELIBBAD, unix.EINVAL:
		return inspect(p, root, path, errno, 0)
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
func tooDeep(root process.Root, path string) string {
	file, err := openFile(root, path)
	if err != nil {
		return ""
	}
	defer file.close()
	return "its #! lines lead from script to script too often"
}

// inspect looks at the file at path and, for a script or a dynamically linked program, at its
// interpreter.
func inspect(p *process.Plan, root process.Root, path string, errno unix.Errno, depth int) string {
	file, err := openFile(root, path)
	if err != nil {
		if errno == unix.EACCES && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)) {
			return p.DeniedBy(root, path)
		}
		return ""
	}
	defer file.close()
	if errno == unix.EACCES {
		if reason := file.refuses(p); reason != "" {
			return reason
		}
		if reason := p.DeniedBy(root, path); reason != "" { // whom the container's user is not
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
		if _, err := root.Stat(resolved); err == unix.ENOENT { //nolint:errorlint // a bare errno
			return missing(interpreter, kind)
		}
	}
	if reason := inspect(p, root, resolved, errno, depth+1); reason != "" {
		return fmt.Sprintf("its %s %q: %s", kind, interpreter, reason)
	}
	return ""
}

// foresee tells with which errno execve(2) of path is going to fail, and why, or returns 0 if it
// sees no reason. It is for a thread that is about to load the container's seccomp filter, after
// which it can't look any more; it looks for what is common in images and costs some ten system
// calls. root is as for Hint.
func foresee(p *process.Plan, root process.Root, path string) (unix.Errno, string) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.Cwd, path)
	}
	file, err := openFile(root, path)
	if err != nil {
		return 0, "" // the look-up has told
	}
	defer file.close()
	if file.head == nil {
		return 0, "" // it is not for our eyes
	}
	if reason := file.malformed(unix.ENOEXEC); reason != "" {
		return unix.ENOEXEC, reason
	}
	interpreter, kind := file.interpreter()
	if !filepath.IsAbs(interpreter) {
		return 0, ""
	}
	st, err := root.Stat(interpreter)
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
func (f *file) refuses(p *process.Plan) string {
	switch {
	case f.Stat.Mode&unix.S_IFMT == unix.S_IFDIR:
		return "it is a directory"
	case f.Stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return "it is not a regular file"
	case f.noexec():
		return "it is on a file system that is mounted noexec"
	case f.Stat.Mode&0o111 == 0:
		return noExecuteBit(&f.Stat)
	case !p.MayExecute(&f.Stat):
		return fmt.Sprintf("its mode %04o and owner %d:%d do not let uid %d execute it", f.Stat.Mode&0o7777, f.Stat.Uid, f.Stat.Gid, p.UID)
	}
	return ""
}

// malformed tells what about the content keeps the kernel from executing it.
func (f *file) malformed(errno unix.Errno) string {
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
