package seccomp

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
)

// Handover is memory by which a thread hands over the listener of its filter before it goes on. It
// must not make a system call for that, which the filter may not allow: somebody who has the same
// descriptors and is not under the filter sees the number, and says when he is done. The memory is
// shared with children.
type Handover struct {
	listener atomic.Int32 // what a call's result leaves in its first four bytes of eight
	_        int32
	done     atomic.Uint32
}

const noListener = -1

// NewHandover returns one that has not been used.
func NewHandover() (*Handover, error) {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	h := (*Handover)(unsafe.Pointer(&page[0]))
	h.listener.Store(noListener)
	return h, nil
}

// AddLoad adds the loading of a filter with Notify, and the wait until its listener is in other
// hands.
func (h *Handover) AddLoad(l *calls.List, f *Filter) {
	l.Add(f.Load(l)).Result = uintptr(unsafe.Pointer(&h.listener))
	l.Do(calls.Await, uintptr(unsafe.Pointer(&h.done)), 1)
}

// Listener waits for the listener. It returns nil if there will be none, which never tells.
func (h *Handover) Listener(never func() bool) *os.File {
	for h.listener.Load() == noListener {
		if never() {
			return nil
		}
		time.Sleep(50 * time.Microsecond)
	}
	return os.NewFile(uintptr(h.listener.Load()), "seccomp")
}

// Done lets the thread go on.
func (h *Handover) Done() { h.done.Store(1) }
