// Package calls describes what a process does to itself as a list of system calls.
//
// A [List] is worked out beforehand: the calls, with all arguments, and their data. A call can hand
// its result to a later one and say where to go on: after a result of zero, as in the child of a
// fork, or after an error that it expects. Any other error ends the list, and the caller who made
// it says what was being done ([List.Failure]).
//
// Three executors make the calls of a list, with the same outcome:
//
//   - A static executable of a few kilobytes ([New], [List.Open]): the list and a hundred
//     instructions that make one call after the other (asm/run_*.s). A process that executes it has
//     nothing in its memory but what the list says, and is at work a millisecond before a Go
//     program would be.
//   - The child of a raw fork of this process ([NewHere], [List.RunInChild]), which may do nothing
//     but make system calls.
//   - The calling thread ([NewHere], [List.Run]).
package calls

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"unsafe"

	"oci-run/internal/linux"
)

// ErrUnavailable is the error of [List.Open] where a batch can't be executed: there are no
// instructions for this architecture, or the system doesn't allow to execute a memfd.
var ErrUnavailable = errors.New("a batch of system calls can't be executed here")

// Numbers of what looks like a system call and is none.
const (
	// Equal compares the byte at Args[0] with Args[1]; if they differ, the error is Args[2].
	Equal = ^uintptr(0)
	// Set stores Args[1] at Args[0]: eight bytes, the lowest first, which Equal compares.
	Set = ^uintptr(1)
	// Copy stores the four bytes at Args[1] at Args[0].
	Copy = ^uintptr(2)
	// Await waits, without a system call, until the four bytes at Args[0] are Args[1].
	Await = ^uintptr(3)
	// Load has the four bytes at Args[0] as its result.
	Load = ^uintptr(4)
)

// Any stands for every error in a call's Expect.
const Any = syscall.Errno(0xff)

// maxExpect bounds a call's Expect.
const maxExpect = 8

// Call is one system call of a list. What Bytes, Text and the like return are addresses in
// the process, to be used as arguments.
type Call struct {
	Number uintptr
	Args   [6]uintptr

	// Result is the address that the result goes to, eight bytes, the lower four first, which
	// is what the kernel, Load and Copy read; 0 for nowhere.
	Result uintptr
	// Into is the call whose argument number IntoArg the result becomes, or nil.
	Into    *Call
	IntoArg uint8

	// Then is the call that follows, nil for the next of the list; Zero the one after a result of
	// zero, nil for Then.
	Then, Zero *Call
	// Expect are the errors after which Else follows, nil for the next of the list. At most eight,
	// all below 255.
	Expect []syscall.Errno
	Else   *Call
	// Explain makes an error of one that was not expected. It is called in the process that made
	// the list.
	Explain func(syscall.Errno) error

	index int // in the list
}

// check tells whether the call can stand at a place of a list.
func (c *Call) check(index int) error {
	switch {
	case c.index != index:
		return errors.New("a call stands in a list twice")
	case len(c.Expect) > maxExpect:
		return fmt.Errorf("a call expects %d errors", len(c.Expect))
	case int(c.IntoArg) >= len(c.Args):
		return fmt.Errorf("a result goes into argument %d", c.IntoArg)
	}
	return nil
}

// List is a list of calls, in the order of their addition.
type List struct {
	calls  []*Call
	block  []Call // room for calls, and what is left of it
	spare  []Call
	data   []byte  // of an executable; of a list of this process, the latest piece
	base   uintptr // where the head of the data lies in the process that makes the calls
	here   *here   // nil for an executable
	later  *later  // what an executable reads into its memory, nil for nothing
	room   int     // of a list that is read
	report int
	errors error
}

// The data begins with what the instructions look up: the address of the first call, the
// descriptor for reports, and room for a report.
const (
	firstAt  = 0
	reportAt = 8
	roomAt   = 16
	headSize = 24
)

// New returns an empty list for an executable, whose process reports to the descriptor report.
func New(report int) *List {
	return &List{report: report, base: imageBase, data: make([]byte, headSize, 4096)}
}

// Add appends a call and returns it. It isn't inlined, nor are Do, Place and Or: they are called at
// two hundred places, where that would be 120 KB of binary.
//
//go:noinline
func (l *List) Add(c *Call) *Call {
	c.index = len(l.calls)
	l.calls = append(l.calls, c)
	return c
}

// Do appends the call of a number with arguments, and returns it for what else is to be
// said of it.
//
//go:noinline
func (l *List) Do(number uintptr, args ...uintptr) *Call {
	c := l.blank()
	c.Number = number
	copy(c.Args[:], args)
	return l.Add(c)
}

// On appends a call whose first argument, a descriptor mostly, is the four bytes at an address when
// it is its turn.
func (l *List) On(at, number uintptr, args ...uintptr) *Call {
	load := l.Do(Load, at)
	load.Into = l.Do(number, append([]uintptr{0}, args...)...)
	return load.Into
}

// blank returns a call that stands nowhere yet. Room for calls is made for some at a time.
func (l *List) blank() *Call {
	if len(l.spare) == 0 {
		l.block = make([]Call, 16)
		l.spare = l.block
	}
	c := &l.spare[0]
	*c, l.spare = Call{}, l.spare[1:] // it may have been of an earlier use
	return c
}

// Place returns a call that does nothing: where others go on.
//
//go:noinline
func (l *List) Place() *Call {
	c := l.blank()
	c.Number, c.Args = Equal, [6]uintptr{l.base + roomAt, 0}
	return c
}

// Or says what the call's unexpected errors are called: operation and object. It returns the call.
//
//go:noinline
func (c *Call) Or(format string, args ...any) *Call {
	c.Explain = func(errno syscall.Errno) error { return fmt.Errorf(format+": %w", append(args, errno)...) }
	return c
}

// aligned is the first multiple of eight that is not below n.
func aligned(n int) int { return (n + 7) &^ 7 }

// reserve has n zero bytes in the process's memory, and here.
func (l *List) reserve(n int) (at uintptr, b []byte) {
	start := aligned(len(l.data))
	if start+n > cap(l.data) {
		start = l.extend(start, n)
	}
	l.data = l.data[:start+n]
	b = l.data[start:]
	if l.here == nil {
		return l.base + uintptr(start), b
	}
	if len(l.here.pieces) == 0 && start < l.here.dirty {
		clear(b[:min(n, l.here.dirty-start)])
	}
	return addressOf(l.data) + uintptr(start), b
}

// extend makes room for n more bytes, and returns where they begin.
func (l *List) extend(start, n int) int {
	if l.here != nil {
		l.here.pieces = append(l.here.pieces, l.data)
		l.data = make([]byte, 0, max(piece, n))
		return 0
	}
	data := make([]byte, len(l.data), max(2*cap(l.data), start+n))
	copy(data, l.data)
	l.data = data
	return start
}

// Bytes has b in the process's memory, which the process may change.
func (l *List) Bytes(b []byte) uintptr {
	at, room := l.reserve(len(b))
	copy(room, b)
	return at
}

// Struct has a copy of the structure that v points to in the process's memory.
func Struct[T any](l *List, v *T) uintptr {
	return l.Bytes(unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)))
}

// Word has eight zero bytes in the process's memory. If that is this process, value is what stands
// there: what Set left, the lowest byte first, or a result.
func (l *List) Word() (at uintptr, value *[8]byte) {
	at, room := l.reserve(8)
	if l.here != nil {
		value = (*[8]byte)(room)
	}
	return at, value
}

// Room has n zero bytes in the process's memory.
func (l *List) Room(n int) uintptr {
	at, _ := l.reserve(n)
	return at
}

// Text has s in the process's memory, with a zero byte at its end. A zero byte within is an error
// of LayOut and of image.
func (l *List) Text(s string) uintptr {
	at, room := l.reserve(len(s) + 1)
	l.copyText(room, s)
	return at
}

func (l *List) copyText(room []byte, s string) {
	if strings.IndexByte(s, 0) >= 0 {
		l.errors = errors.Join(l.errors, syscall.EINVAL)
	}
	copy(room, s)
}

// Words has 64-bit numbers in the process's memory.
func (l *List) Words(words ...uint64) uintptr {
	at, room := l.reserve(8 * len(words))
	for i, w := range words {
		binary.NativeEndian.PutUint64(room[8*i:], w)
	}
	return at
}

// Halves has 32-bit numbers in the process's memory.
func (l *List) Halves(halves ...uint32) uintptr {
	at, room := l.reserve(4 * len(halves))
	for i, h := range halves {
		binary.NativeEndian.PutUint32(room[4*i:], h)
	}
	return at
}

// Vector has texts in the process's memory, as execve(2) takes them: pointers, and a null pointer
// at their end.
func (l *List) Vector(texts []string) uintptr {
	const pointerSize = int(unsafe.Sizeof(uintptr(0))) // an executable has 64 bits, as we have then
	next := pointerSize * (len(texts) + 1)
	size := next
	for _, s := range texts {
		size += len(s) + 1
	}
	at, room := l.reserve(size)
	for i, s := range texts {
		*(*uintptr)(unsafe.Pointer(&room[i*pointerSize])) = at + uintptr(next)
		l.copyText(room[next:], s)
		next += len(s) + 1
	}
	return at
}

// ReportSize is the size of a report.
const ReportSize = 8

// MessageValue is where the value stands in a Message.
const MessageValue = 4

// Message has room for a report in the process's memory, for calls that send one: it says
// "no error", and a result may become its value.
func (l *List) Message() uintptr { return l.Room(2 * ReportSize) }

// ReportTo is where the process of an executable has the number of the descriptor that it reports
// to, eight bytes, which a result may replace.
func (l *List) ReportTo() uintptr { return imageBase + reportAt }

// Receive reads a report from the other end of what the process reports to: its value, or the error
// that it tells, as Failure does. The error is io.EOF if the process has ended without a report, or
// executed a program.
func (l *List) Receive(from io.Reader) (value uint32, err error) {
	var report [ReportSize]byte
	if _, err := io.ReadFull(from, report[:]); errors.Is(err, syscall.ECONNRESET) {
		return 0, io.EOF
	} else if err != nil {
		return 0, err
	}
	return l.Failure(report)
}

// Failure tells what a report says: an error, or, if there is none, the value of a Message.
func (l *List) Failure(report [ReportSize]byte) (value uint32, err error) {
	at, value := binary.NativeEndian.Uint32(report[:4]), binary.NativeEndian.Uint32(report[4:])
	if at == 0 {
		return value, nil
	}
	if l.later != nil && uintptr(at) >= laterBase {
		l = l.later.list
	}
	index := at - 1
	if l.here == nil {
		index = (at - uint32(l.callsBase())) / callSize
	}
	return 0, l.explain(int(index), syscall.Errno(value))
}

// explain makes an error of one that a call did not expect.
func (l *List) explain(index int, errno syscall.Errno) error {
	if index >= len(l.calls) {
		return errors.New("a report names no call of the list")
	}
	call := l.calls[index]
	err := fmt.Errorf("system call %d: %w", call.Number, errno)
	if call.Explain != nil {
		err = call.Explain(errno)
	}
	return linux.ExplainCall(call.Number, errno, err)
}
