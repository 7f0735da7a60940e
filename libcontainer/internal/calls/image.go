package calls

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/linux"
)

// Where the parts of the executable lie in memory. The data is where the instructions look
// for it.
const (
	codeBase  uintptr = 0x400000
	imageBase uintptr = 0x800000
)

// The layout of a call in memory, as the instructions read it: number, six arguments,
// address of the result, expected errors (a byte each), and the addresses of the calls that
// follow a result, a result of zero, and an expected error.
const (
	callArgs   = 8
	callResult = 56
	callExpect = 64
	callThen   = 72
	callZero   = 80
	callElse   = 88
	callSize   = 96
)

func (l *List) callsBase() uintptr { return l.base + uintptr(aligned(len(l.data))) }

func (l *List) at(c *Call) uintptr { return l.callsBase() + uintptr(c.index*callSize) }

// encodeCalls writes the calls to memory of their size.
func (l *List) encodeCalls(out []byte) error {
	if l.errors != nil {
		return l.errors
	}
	for i, c := range l.calls {
		if err := c.check(i); err != nil {
			return err
		}
		l.encodeCall(out[i*callSize:], c)
	}
	return nil
}

func (l *List) encodeCall(b []byte, c *Call) {
	order := binary.NativeEndian
	order.PutUint64(b, uint64(c.Number))
	for i, arg := range c.Args {
		order.PutUint64(b[callArgs+8*i:], uint64(arg))
	}
	result := c.Result
	if c.Into != nil {
		result = l.at(c.Into) + callArgs + 8*uintptr(c.IntoArg)
	}
	order.PutUint64(b[callResult:], uint64(result))
	for i, errno := range c.Expect {
		b[callExpect+i] = byte(errno)
	}
	next := l.at(c) + callSize
	if c.index == len(l.calls)-1 {
		next = 0 // a fault
		if l.later != nil {
			next = laterBase
		}
	}
	follow := func(to *Call, otherwise uintptr) uintptr {
		if to == nil {
			return otherwise
		}
		return l.at(to)
	}
	then := follow(c.Then, next)
	order.PutUint64(b[callThen:], uint64(then))
	order.PutUint64(b[callZero:], uint64(follow(c.Zero, then)))
	order.PutUint64(b[callElse:], uint64(follow(c.Else, next)))
}

// The parts of an ELF executable, elf(5).
const (
	headerSize  = 64
	programSize = 56
	programs    = 3

	ptLoad     = 1
	ptGNUStack = 0x6474e551
	pfX        = 1
	pfW        = 2
	pfR        = 4
)

// image returns a list made by New as an ELF executable.
func (l *List) image() ([]byte, error) {
	if code == "" {
		return nil, ErrUnavailable
	}
	const codeAt = headerSize + programs*programSize
	codeEnd := codeAt + len(code)
	calls := int(l.callsBase() - l.base)
	size := calls + len(l.calls)*callSize
	memory := size
	if l.later != nil {
		if size > laterAt {
			return nil, fmt.Errorf("%w: it is %d bytes long", ErrUnavailable, size)
		}
		memory = laterAt + l.later.room
	}
	image := make([]byte, 0, pageSize+size)
	image = appendHeader(image, codeBase+codeAt)
	image = appendProgram(image, ptLoad, pfR|pfX, 0, codeBase, codeEnd, codeEnd)
	image = appendProgram(image, ptLoad, pfR|pfW, pageSize, imageBase, size, memory)
	image = appendProgram(image, ptGNUStack, pfR|pfW, 0, 0, 0, 0)
	image = append(image, code...)
	image = image[:pageSize+size]
	data := image[pageSize:]
	copy(data, l.data)
	binary.NativeEndian.PutUint64(data[firstAt:], uint64(l.callsBase()))
	binary.NativeEndian.PutUint64(data[reportAt:], uint64(l.report))
	return image, l.encodeCalls(data[calls:])
}

func appendHeader(b []byte, entry uintptr) []byte {
	order := binary.NativeEndian
	b = append(b, 0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little-endian */, 1 /* version */, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = order.AppendUint16(b, 2) // ET_EXEC
	b = order.AppendUint16(b, machine)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint64(b, uint64(entry))
	b = order.AppendUint64(b, headerSize) // program headers
	b = order.AppendUint64(b, 0)          // no section headers
	b = order.AppendUint32(b, 0)
	for _, v := range []uint16{headerSize, programSize, programs, 0, 0, 0} {
		b = order.AppendUint16(b, v)
	}
	return b
}

// appendProgram adds a segment. What its memory has more than the file is zero.
func appendProgram(b []byte, kind, flags uint32, offset int, at uintptr, size, memory int) []byte {
	order := binary.NativeEndian
	b = order.AppendUint32(b, kind)
	b = order.AppendUint32(b, flags)
	for _, v := range []uint64{uint64(offset), uint64(at), uint64(at), uint64(size), uint64(memory), pageSize} {
		b = order.AppendUint64(b, v)
	}
	return b
}

// File is a file without a name for an executable, which [List.OpenIn] fills.
type File struct{ fd int }

// NewFile makes one. The error is [ErrUnavailable] where it could not be executed.
func NewFile() (*File, error) {
	if code == "" {
		return nil, ErrUnavailable
	}
	fd, err := linux.Memfd("oci-run:batch", true)
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM): // sysctl vm.memfd_noexec; a seccomp filter
		return nil, ErrUnavailable
	}
	if err != nil {
		return nil, err
	}
	return &File{fd}, nil
}

// Close gives the file up.
func (f *File) Close() {
	if f.fd >= 0 {
		unix.Close(f.fd)
		f.fd = -1
	}
}

// Open returns the executable, as a sealed file without a name.
func (l *List) Open() (*os.File, error) {
	f, err := NewFile()
	if err != nil {
		return nil, err
	}
	return l.OpenIn(f)
}

// OpenIn is Open for a file that was made before. It is closed in any case.
func (l *List) OpenIn(f *File) (*os.File, error) {
	defer f.Close()
	image, err := l.image()
	if err != nil {
		return nil, err
	}
	return fill(f.fd, image)
}

// fill writes the executable and opens it again: who executes a file that somebody has open
// for writing gets ETXTBSY.
func fill(fd int, image []byte) (*os.File, error) {
	if err := linux.Fill(fd, image); err != nil {
		return nil, fmt.Errorf("write a batch: %w", err)
	}
	if err := linux.Seal(fd); err != nil {
		return nil, fmt.Errorf("seal a batch: %w", err)
	}
	return files.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY, 0)
}
