package process

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// program is a file that could not be executed, opened for inspection.
type program struct {
	fd   int // of O_PATH, or readable if head is not nil
	st   unix.Stat_t
	head []byte // the first bytes of a regular file that may be read
}

// openProgram finds path below root, and opens a regular file for reading.
func openProgram(root Root, path string) (*program, error) {
	fd, err := root.open(path)
	if err != nil {
		return nil, err
	}
	f := &program{fd: fd}
	if err := unix.Fstat(fd, &f.st); err != nil {
		f.Close()
		return nil, err
	}
	if f.st.Mode&unix.S_IFMT != unix.S_IFREG {
		return f, nil
	}
	readable, err := root.reopen(fd)
	if err != nil {
		return f, nil
	}
	f.Close()
	f.fd = readable
	buf := make([]byte, 4096)
	if n, err := unix.Pread(readable, buf, 0); err == nil {
		f.head = buf[:n]
	}
	return f, nil
}

func (f *program) Close() { unix.Close(f.fd) }

// noexec tells whether the mount that the file is on allows no execution.
func (f *program) noexec() bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(f.fd, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0
}

// readAt fills b from the file's content at offset, and tells whether there was that much.
func (f *program) readAt(b []byte, offset int64) bool {
	if end := offset + int64(len(b)); offset >= 0 && end >= offset && end <= int64(len(f.head)) {
		copy(b, f.head[offset:])
		return true
	}
	n, err := unix.Pread(f.fd, b, offset)
	return err == nil && n == len(b)
}

// interpreter returns the path of the program that the kernel starts for the file, and what it is.
func (f *program) interpreter() (path, kind string) {
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

const elfMagic = "\x7fELF"

// elfHeader is the part of an ELF header (elf(5)) that tells what a program needs.
type elfHeader struct {
	order     binary.ByteOrder
	wide      bool // ELFCLASS64
	machine   uint16
	phoff     uint64
	phentsize uint16
	phnum     uint16
}

func parseELF(head []byte) (h elfHeader, err error) {
	if len(head) < 52 || string(head[:4]) != elfMagic {
		return h, errors.New("it is too short")
	}
	switch head[5] {
	case 1:
		h.order = binary.LittleEndian
	case 2:
		h.order = binary.BigEndian
	default:
		return h, errors.New("its byte order is unknown")
	}
	h.machine = h.order.Uint16(head[18:])
	switch {
	case head[4] == 1:
		h.phoff = uint64(h.order.Uint32(head[28:]))
		h.phentsize, h.phnum = h.order.Uint16(head[42:]), h.order.Uint16(head[44:])
	case head[4] == 2 && len(head) >= 64:
		h.wide = true
		h.phoff = h.order.Uint64(head[32:])
		h.phentsize, h.phnum = h.order.Uint16(head[54:]), h.order.Uint16(head[56:])
	default:
		return h, errors.New("its class is unknown, or it is too short")
	}
	return h, nil
}

// interp reads program header i. ok is true if it is of type PT_INTERP; its content then has size
// bytes at offset.
func (h *elfHeader) interp(f *program, i int) (offset int64, size uint64, ok bool) {
	const ptInterp = 3
	entry := make([]byte, 32, 56)
	if h.wide {
		entry = entry[:56]
	}
	if !f.readAt(entry, int64(h.phoff+uint64(i)*uint64(h.phentsize))) || h.order.Uint32(entry) != ptInterp {
		return 0, 0, false
	}
	if h.wide {
		return int64(h.order.Uint64(entry[8:])), h.order.Uint64(entry[32:]), true
	}
	return int64(h.order.Uint32(entry[4:])), uint64(h.order.Uint32(entry[16:])), true
}

// machines are the ELF machines that Linux runs on, with Go's name for the one that is native to
// it.
var machines = [...]struct {
	number       uint16
	goarch, name string
}{
	{3, "386", "i386"},
	{8, "mips64le", "MIPS"},
	{20, "ppc", "32-bit PowerPC"},
	{21, "ppc64le", "64-bit PowerPC"},
	{22, "s390x", "s390x"},
	{40, "arm", "32-bit ARM"},
	{43, "sparc64", "SPARC"},
	{62, "amd64", "x86-64"},
	{183, "arm64", "ARM64 (aarch64)"},
	{243, "riscv64", "RISC-V"},
	{258, "loong64", "LoongArch"},
}

func machineName(number uint16) string {
	for i := range machines {
		if machines[i].number == number {
			return machines[i].name
		}
	}
	return "ELF machine " + strconv.Itoa(int(number))
}

// nativeMachine returns the number of the machine that this program is for, or 0.
func nativeMachine() uint16 {
	for i := range machines {
		if machines[i].goarch == runtime.GOARCH {
			return machines[i].number
		}
	}
	return 0
}
