package calls

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// here is what a list of this process has beside the calls. Nothing of it moves once its address is
// known.
type here struct {
	pieces [][]byte // of data, but for the latest
	calls  []byte   // laid out
	first  *wired
	room   [2]uint32 // for a report
}

// piece is how much room for data is made at a time.
const piece = 2 << 10

// NewHere returns an empty list for this process: its child by a raw fork, which reports to the
// descriptor report, or the calling thread.
func NewHere(report int) *List {
	data := make([]byte, headSize, piece)
	return &List{report: report, data: data, base: uintptr(unsafe.Pointer(&data[0])), here: &here{}}
}

// keep has b in the latest piece, or in a new one.
func (l *List) keep(b []byte) uintptr {
	if len(l.data)+len(b) > cap(l.data) || len(l.data) == cap(l.data) {
		l.here.pieces = append(l.here.pieces, l.data)
		l.data = make([]byte, 0, max(piece, len(b)))
	}
	at := len(l.data)
	l.data = append(l.data, b...)
	return uintptr(unsafe.Pointer(&l.data[:at+1][at]))
}

func (h *here) callsBase() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(h.calls))) }

// LayOut completes a list made by NewHere: nothing can be added to it any more.
func (l *List) LayOut() error {
	if len(l.calls) == 0 {
		return l.errors
	}
	size := len(l.calls) * callSize
	if cap(l.here.calls) < size {
		l.here.calls = make([]byte, 0, max(size, piece))
	}
	l.here.calls = l.here.calls[:size]
	clear(l.here.calls)
	if err := l.encodeCalls(l.here.calls); err != nil {
		return err
	}
	l.here.first = (*wired)(unsafe.Pointer(&l.here.calls[0]))
	return nil
}

// Run makes the calls of a list made by NewHere on the calling thread. It returns at the end of the
// list, or with the first error that a call did not expect. Goroutines don't get to run meanwhile:
// calls that wait are not for this executor.
func (l *List) Run() error {
	if err := l.LayOut(); err != nil {
		return err
	}
	at, errno := walk(l.here.first)
	runtime.KeepAlive(l)
	if at == nil {
		return nil
	}
	return l.explain(int((uintptr(unsafe.Pointer(at))-l.callsBase())/callSize), errno)
}

// Reset empties a list made by NewHere, whose calls have been made. Its memory is used again:
// a process that makes one list after the other touches fewer pages.
func (l *List) Reset() {
	if len(l.here.pieces) > 0 {
		l.data, l.here.pieces = l.here.pieces[0], nil
	}
	clear(l.data)
	l.data, l.calls, l.errors = l.data[:headSize], l.calls[:0], nil
	l.here.first = nil
	clear(l.block)
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
	at, errno := walk(l.here.first)
	status := uintptr(0)
	if at != nil {
		report := &l.here.room
		report[0], report[1] = uint32(uintptr(unsafe.Pointer(at))), uint32(errno)
		syscall.RawSyscall6(unix.SYS_WRITE, uintptr(l.report), uintptr(unsafe.Pointer(report)), ReportSize, 0, 0, 0)
		status = 1
	}
	syscall.RawSyscall6(unix.SYS_EXIT_GROUP, status, 0, 0, 0, 0, 0)
	var nowhere *int
	for { // a seccomp filter doesn't allow even that: a fault ends us
		*nowhere = 0
	}
}

// wired is a call as it is laid out (callSize).
type wired struct {
	number                uint64
	args                  [6]uint64
	result                address
	expect                [maxExpect]byte
	then, zero, otherwise address
}

// address is one of this process's, eight bytes on every architecture. Those are little-endian or
// have 64 bits, so that a pointer is its beginning.
type address uint64

//go:nosplit
//go:norace
func (a *address) call() *wired { return *(**wired)(unsafe.Pointer(a)) }

//go:nosplit
//go:norace
func (a *address) word() *uint64 { return *(**uint64)(unsafe.Pointer(a)) }

//go:nosplit
//go:norace
func (c *wired) arg(n int) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&c.args[n])) }

// walk makes the calls from c on, as asm/run_*.s does. It returns the one that had an error which
// it did not expect, or nil at the end of the list.
//
//go:nosplit
//go:norace
func walk(c *wired) (*wired, syscall.Errno) {
	for c != nil {
		result, errno := c.perform()
		switch {
		case errno != 0 && !c.expects(errno):
			return c, errno
		case errno != 0:
			c = c.otherwise.call()
			continue
		}
		if to := c.result.word(); to != nil {
			*to = uint64(result)
		}
		if result == 0 {
			c = c.zero.call()
		} else {
			c = c.then.call()
		}
	}
	return nil, 0
}

//go:nosplit
//go:norace
func (c *wired) perform() (uintptr, syscall.Errno) {
	switch uintptr(c.number) {
	case Equal:
		if uint64(*(*byte)(c.arg(0))) != c.args[1] {
			return 0, syscall.Errno(c.args[2])
		}
	case Set:
		*(*uint64)(c.arg(0)) = c.args[1]
	case Copy:
		*(*uint32)(c.arg(0)) = *(*uint32)(c.arg(1))
	case Await:
		for uint64(atomic.LoadUint32((*uint32)(c.arg(0)))) != c.args[1] { // waits without a system call
		}
	case Load:
		return uintptr(*(*uint32)(c.arg(0))), 0
	default:
		a := &c.args
		result, _, errno := syscall.RawSyscall6(uintptr(c.number), uintptr(a[0]), uintptr(a[1]), uintptr(a[2]), uintptr(a[3]), uintptr(a[4]), uintptr(a[5]))
		return result, errno
	}
	return 0, 0
}

//go:nosplit
//go:norace
func (c *wired) expects(errno syscall.Errno) bool {
	for i := range c.expect {
		if e := syscall.Errno(c.expect[i]); e == Any || e == errno {
			return true
		} else if e == 0 {
			return false
		}
	}
	return false
}
