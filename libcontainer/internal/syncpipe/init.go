package syncpipe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/internal/excerpt"
	"oci-run/libcontainer/internal/syncpipe/wire"
	"oci-run/specconv"
)

// Init is the end of the init process.
type Init struct{ end }

// NewInit takes over the fd that spawn passed.
func NewInit(fd uintptr) *Init {
	syscall.CloseOnExec(int(fd))
	return &Init{end{f: os.NewFile(fd, "sync")}}
}

// MountFD asks the parent for the source of a mount. If the parent can't make it, it
// ends the conversation, as it knows the reason best.
func (i *Init) MountFD(index int) (*os.File, error) {
	if err := i.send(mountFD, binary.AppendVarint(nil, int64(index))); err != nil {
		return nil, err
	}
	m, err := i.expect(mountFD)
	if err != nil {
		return nil, err
	}
	if len(m.files) != 1 {
		closeAll(m.files)
		return nil, fmt.Errorf("receive MountFD: %d fds", len(m.files))
	}
	return m.files[0], nil
}

// Hooks has the parent run the hooks that belong before pivot_root.
func (i *Init) Hooks() error {
	if err := i.send(hooks, nil); err != nil {
		return err
	}
	return i.await(hooks)
}

// Limits has the parent set our resource limits.
func (i *Init) Limits() error {
	if err := i.send(limits, nil); err != nil {
		return err
	}
	return i.await(limits)
}

// Log hands a message to the parent.
func (i *Init) Log(level int, text string) {
	// A parent that is gone is noticed at the next message with an answer.
	_ = i.send(logged, wire.Marshal(&logEntry{level, excerpt.Of(text, maxText)}))
}

// Ready reports that all steps are done, and waits until the parent has committed.
func (i *Init) Ready() error {
	if err := i.send(ready, nil); err != nil {
		return err
	}
	return i.await(committed)
}

// Waiting is Ready for an exec: process pid is the one that waits for the commit.
func (i *Init) Waiting(pid int) error {
	if err := i.send(ready, binary.AppendVarint(nil, int64(pid))); err != nil {
		return err
	}
	return i.await(committed)
}

// Failed reports the error that init ends with.
func (i *Init) Failed(f *Failure) error {
	return i.fail(f)
}

// maxText bounds what init says to people, which has to fit into a packet together with the rest of
// its message.
const maxText = maxPacket / 2

// fail sends a failure, shortened. A pointer is of use only whole: one that is too long becomes
// part of the text.
func (e *end) fail(f *Failure) error {
	short := *f
	if len(f.Pointer) > maxPacket/4 {
		short.Pointer, short.Text = "", f.Pointer+": "+f.Text
	}
	short.Text = excerpt.Of(short.Text, maxText)
	if len(short.Path) > unix.PathMax {
		short.Path = ""
	}
	return e.write(failed, wire.Marshal(&short))
}

type logEntry struct {
	Level int
	Text  string
}

// Failure is an error of init, as it arrives at the parent.
type Failure struct {
	Step    string // the name of init's step
	Pointer string // the field of config.json that asked for it, if one is known
	Text    string
	Path    string        // of the file that the error is about, if it is about one
	Errno   syscall.Errno // 0 if there is none
}

func (f *Failure) Error() string { return f.Text }

// Located returns err, if a *Failure, as an error about the field that it names.
func Located(err error) error {
	if f, ok := errors.AsType[*Failure](err); ok && f.Pointer != "" {
		return specconv.Field(f.Pointer, err)
	}
	return err
}

// Unwrap makes errors.Is work with the errno.
func (f *Failure) Unwrap() error {
	if f.Errno == 0 {
		return nil
	}
	return f.Errno
}
