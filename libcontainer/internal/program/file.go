package program

import (
	"bytes"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/process"
)

// file is what could not be executed, opened for inspection.
type file struct {
	*process.File
	head []byte // the first bytes of a regular file that may be read, else nil
}

// openFile finds path below root, and opens a regular file for reading.
func openFile(root process.Root, path string) (*file, error) {
	found, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	f := &file{File: found}
	if !f.Readable {
		return f, nil
	}
	buf := make([]byte, 4096)
	if n, err := unix.Pread(f.FD, buf, 0); err == nil {
		f.head = buf[:n]
	}
	return f, nil
}

func (f *file) close() { unix.Close(f.FD) }

// noexec tells whether the mount that the file is on allows no execution.
func (f *file) noexec() bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(f.FD, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0
}

// readAt fills b from the file's content at offset, and tells whether there was that much.
func (f *file) readAt(b []byte, offset int64) bool {
	if end := offset + int64(len(b)); offset >= 0 && end >= offset && end <= int64(len(f.head)) {
		copy(b, f.head[offset:])
		return true
	}
	n, err := unix.Pread(f.FD, b, offset)
	return err == nil && n == len(b)
}

// interpreter returns the path of the program that the kernel starts for the file, and what it is.
func (f *file) interpreter() (path, kind string) {
	if name, ok := shebang(f.head); ok {
		return name, "#! interpreter"
	}
	header, err := parseELF(f.head)
	if err != nil {
		return "", ""
	}
	for i := range min(int(header.phnum), 64) {
		offset, size, ok := header.interp(f, i)
		if !ok || size == 0 || size > unix.PathMax {
			continue
		}
		name := make([]byte, size)
		if !f.readAt(name, offset) {
			return "", ""
		}
		name, _, _ = bytes.Cut(name, []byte{0})
		return string(name), "ELF interpreter"
	}
	return "", ""
}

// maxShebang is how much of a script's first line the kernel looks at (BINPRM_BUF_SIZE).
const maxShebang = 256

// shebang returns the interpreter that the #! line at the start of a file names, "" if it names
// none. ok is false if the file does not begin with #!.
func shebang(head []byte) (name string, ok bool) {
	line, ok := bytes.CutPrefix(head[:min(len(head), maxShebang)], []byte("#!"))
	if !ok {
		return "", false
	}
	line, _, _ = bytes.Cut(line, []byte{'\n'})
	line = bytes.TrimLeft(line, " \t")
	if end := bytes.IndexAny(line, " \t\x00"); end >= 0 {
		line = line[:end]
	}
	return string(line), true
}
