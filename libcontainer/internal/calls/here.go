package calls

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// here is what a list of this process has beside the calls. Nothing of it moves once its address is
// known.
type here struct {
	pieces [][]byte  // of data, but for the latest
	dirty  int       // bytes of the first piece that an earlier use of the list may have written
	room   [2]uint32 // for a report
}

// piece is how much room for data is made at a time.
const piece = 2 << 10

// NewHere returns an empty list for this process: its child by a raw fork, which reports to the
// descriptor report, or the calling thread.
func NewHere(report int) *List {
	l := &List{report: report, data: make([]byte, headSize, piece), here: &here{}}
	l.base = addressOf(l.data)
	return l
}

// addressOf is where b begins.
func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// LayOut completes a list made by NewHere: nothing can be added to it any more.
func (l *List) LayOut() error {
	if l.errors != nil {
		return l.errors
	}
	var next *Call // of the last one: the end
	for i := len(l.calls) - 1; i >= 0; i-- {
		c := l.calls[i]
		if err := c.check(i); err != nil {
			return err
		}
		if c.Then == nil {
			c.Then = next
		}
		if c.Zero == nil {
			c.Zero = c.Then
		}
		if c.Else == nil {
			c.Else = next
		}
		next = c
	}
	return nil
}

// Run makes the calls of a list made by NewHere on the calling thread. It returns at the end of the
// list, or with the first error that a call did not expect. The thread makes no other call in
// between, and Go's scheduler doesn't get it: so a seccomp filter may be loaded that allows nothing
// but what follows in the list. Calls that wait take a processor away from Go's other goroutines.
func (l *List) Run() error {
	if err := l.LayOut(); err != nil {
		return err
	}
	at, errno := l.walk()
	if at == nil {
		return nil
	}
	return l.explain(at.index, errno)
}

// Reset empties a list made by NewHere, whose calls have been made. Its memory is used again:
// a process that makes one list after the other touches fewer pages.
func (l *List) Reset() {
	if len(l.here.pieces) > 0 {
		l.data, l.here.pieces = l.here.pieces[0], nil
	}
	l.here.dirty = max(l.here.dirty, len(l.data))
	l.data, l.calls, l.errors = l.data[:headSize], l.calls[:0], nil
	l.spare = l.block
}

// Here makes the calls that add adds on the calling thread, see [List.Run].
func Here(add func(l *List)) error {
	l := NewHere(-1)
	add(l)
	return l.Run()
}

// RunInChild makes the calls of a list that was laid out, in the child of a raw fork, perhaps one
// that borrows this process's memory. An error that a call did not expect is reported and ends the
// child, as does the end of the list.
//
//go:nosplit
//go:norace
func (l *List) RunInChild() {
	at, errno := l.walk()
	status := uintptr(0)
	if at != nil {
		report := &l.here.room
		report[0], report[1] = uint32(at.index)+1, uint32(errno)
		syscall.RawSyscall6(unix.SYS_WRITE, uintptr(l.report), uintptr(unsafe.Pointer(report)), ReportSize, 0, 0, 0)
		status = 1
	}
	syscall.RawSyscall6(unix.SYS_EXIT_GROUP, status, 0, 0, 0, 0, 0)
	var nowhere *int
	for { // a seccomp filter doesn't allow even that: a fault ends us
		*nowhere = 0
	}
}

// walk makes the calls as asm/run_*.s does. It returns the one that had an error which it did not
// expect, or nil at the end of the list.
//
//go:nosplit
//go:norace
func (l *List) walk() (*Call, syscall.Errno) {
	if len(l.calls) == 0 {
		return nil, 0
	}
	for c := l.calls[0]; c != nil; {
		result, errno := c.perform()
		switch {
		case errno != 0 && !c.expects(errno):
			return c, errno
		case errno != 0:
			c = c.Else
			continue
		case c.Into != nil:
			c.Into.Args[c.IntoArg%uint8(len(c.Args))] = result
		case c.Result != 0:
			r := (*[2]uint32)(pointer(&c.Result))
			r[0], r[1] = uint32(result), uint32(uint64(result)>>32)
		}
		if result == 0 {
			c = c.Zero
		} else {
			c = c.Then
		}
	}
	return nil, 0
}

// pointer is the address in at.
//
//go:nosplit
//go:norace
func pointer(at *uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(at)) }

//go:nosplit
//go:norace
func (c *Call) perform() (uintptr, syscall.Errno) {
	a := &c.Args
	switch c.Number {
	case Equal:
		if uintptr(*(*byte)(pointer(&a[0]))) != a[1] {
			return 0, syscall.Errno(a[2])
		}
	case Set:
		for i := range 8 {
			(*(*[8]byte)(pointer(&a[0])))[i] = byte(uint64(a[1]) >> (8 * i))
		}
	case Copy:
		*(*uint32)(pointer(&a[0])) = *(*uint32)(pointer(&a[1]))
	case Await:
		for uintptr(atomic.LoadUint32((*uint32)(pointer(&a[0])))) != a[1] { // waits without a system call
		}
	case Load:
		return uintptr(*(*uint32)(pointer(&a[0]))), 0
	default:
		result, _, errno := syscall.RawSyscall6(c.Number, a[0], a[1], a[2], a[3], a[4], a[5])
		return result, errno
	}
	return 0, 0
}

//go:nosplit
//go:norace
func (c *Call) expects(errno syscall.Errno) bool {
	for _, e := range c.Expect {
		if e == Any || e == errno {
			return true
		}
	}
	return false
}
