package calls

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// later is a list that a process reads into its memory when it comes to it: what it says was not
// known yet when the process was started.
type later struct {
	list *List
	room int
}

// Where the later list lies in the memory of an executable: behind the list that is executed first,
// which may be that long.
const (
	laterAt   = 1 << 20
	laterBase = imageBase + laterAt
)

// Later ends a list made by New with the reading of another one, at most room bytes long, from the
// descriptor file, which the process has open. That one is returned, to be worked out while the
// process already makes the calls of the first, and handed over with [List.Send]. The process must
// not come to this call before. Room that isn't used costs nothing.
func (l *List) Later(file uintptr, room int) *List {
	room = (room + pageSize - 1) &^ (pageSize - 1)
	data := make([]byte, callSize, 4096)
	l.later = &later{list: &List{report: l.report, base: laterBase, data: data, room: room}, room: room}
	l.Do(unix.SYS_PREAD64, file, laterBase, uintptr(room), 0).Or("read the second half of the calls")
	return l.later.list
}

// Send writes the list that [List.Later] returned to the file, a memfd, and seals it. Then the
// process may go on.
func (l *List) Send(file *os.File) error {
	calls := int(l.callsBase() - l.base)
	image := make([]byte, calls+len(l.calls)*callSize)
	if len(image) > l.room {
		return fmt.Errorf("calls of %d bytes have no room in %d", len(image), l.room)
	}
	copy(image, l.data)
	order := binary.NativeEndian
	// It begins with a call that does nothing and leads to the first one, wherever that is: Equal
	// compares a byte of its own arguments, which is zero, with zero.
	first := uint64(l.callsBase())
	order.PutUint64(image, uint64(Equal))
	order.PutUint64(image[callArgs:], uint64(l.base+roomAt))
	order.PutUint64(image[callThen:], first)
	order.PutUint64(image[callZero:], first)
	if err := l.encodeCalls(image[calls:]); err != nil {
		return err
	}
	fd := int(file.Fd())
	if err := linux.Fill(fd, image); err != nil {
		return fmt.Errorf("write calls: %w", err)
	}
	if err := linux.Seal(fd); err != nil {
		return fmt.Errorf("seal calls: %w", err)
	}
	return nil
}
