package cgroups

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/crash"
)

// freezeDeadline is how long a cgroup may take to freeze. A process in an uninterruptible wait can
// make it impossible.
const freezeDeadline = 10 * time.Second

var errNoFreezer = errors.New("the container has no freezer cgroup")

// freezer stops a container's processes and lets them go on.
type freezer struct{ *location }

// control is the hierarchy in which the container is frozen: v1's freezer controller, else the
// unified one.
func (f *freezer) control() *Hierarchy {
	if h := f.hierarchy("freezer"); h != nil {
		return h
	}
	return f.hierarchy("")
}

// Freeze stops every process of the container, and returns when all of them stand still. If that
// can't be reached, the cgroup is thawed again.
func (f *freezer) Freeze() error {
	h := f.control()
	if h == nil {
		return errNoFreezer
	}
	var err error
	if h.unified() {
		err = freeze2(h.Dir())
	} else {
		err = freeze1(h.Dir())
	}
	if err != nil {
		_ = f.Thaw()
	}
	return err
}

// Thaw lets the processes of the container go on. Thawing what isn't frozen is not an error, nor
// is it if the container no longer has a cgroup.
func (f *freezer) Thaw() error {
	h := f.control()
	if h == nil {
		return nil
	}
	return thawDir(h)
}

// ThawKilled lets processes end that were sent SIGKILL.
func (f *freezer) ThawKilled() error {
	h := f.control()
	if h == nil {
		return nil
	}
	frozen, err := f.Frozen()
	if err != nil {
		return err
	}
	// Else only what the container made below may be frozen.
	if below, err := children(h.Dir()); !frozen && (err != nil || len(below) == 0) {
		return nil // the cgroup is gone
	}
	return f.thawBelow()
}

// thawBelow is Thaw for the cgroups below the container's as well: an engine in the container may
// have paused a container of its own, and a v1 freezer holds even SIGKILL back. v2's does not.
func (f *freezer) thawBelow() error {
	h := f.control()
	if h == nil {
		return nil
	}
	if h.unified() {
		return thawDir(h)
	}
	err := thawTree(h.Dir())
	if err != nil && gone(err) {
		return nil
	}
	return err
}

// LetDie lets a process end that was sent SIGKILL but is frozen, whoever froze it: v1 holds even
// that signal back. A cgroup that isn't ours to thaw is left, for the top of the hierarchy, which
// can't be frozen. The caller knows that the process can't go anywhere from there.
func (f *freezer) LetDie(pid int) error {
	h := f.control()
	if h == nil || h.unified() {
		return nil
	}
	return joinDir(h.Mount, strconv.Itoa(pid))
}

// frozenAbove tells whether a v1 cgroup above the container's is frozen.
func (f *freezer) frozenAbove() bool {
	h := f.control()
	if h == nil || h.unified() {
		return false
	}
	value, err := readFile(h.Dir() + "/freezer.parent_freezing")
	return err == nil && value == "1"
}

// thawTree thaws v1 cgroups, those above first: what is below a frozen one is frozen, whatever it
// says itself.
func thawTree(dir string) error {
	dir, done, err := shorten(dir)
	if err != nil {
		return err
	}
	defer done()
	if err := writeFile(dir+"/freezer.state", "THAWED"); err != nil {
		return err
	}
	below, err := children(dir)
	if err != nil {
		return err
	}
	for _, child := range below {
		if err := thawTree(child); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

func thawDir(h *Hierarchy) error {
	file, value := "/freezer.state", "THAWED"
	if h.unified() {
		file, value = "/cgroup.freeze", "0"
	}
	if err := writeFile(h.Dir()+file, value); err != nil && !gone(err) {
		return err
	}
	return nil
}

// Frozen tells whether the container's cgroup was told to freeze, itself and not only through a
// cgroup above. It is true already while the freezing goes on, so that a pause that was interrupted
// shows, and can be undone.
func (f *freezer) Frozen() (bool, error) {
	h := f.control()
	if h == nil {
		return false, nil
	}
	frozen, err := frozenItself(h)
	if err != nil && gone(err) {
		return false, nil
	}
	return frozen, err
}

// StandsStill tells whether nothing in the container's cgroup moves, or shall, because that or one
// above is frozen.
func (f *freezer) StandsStill() (bool, error) {
	h := f.control()
	if h == nil {
		return false, nil
	}
	if h.unified() {
		text, err := readFile(h.Dir() + "/cgroup.events")
		if err == nil && strings.Contains(text, "frozen 1") {
			return true, nil
		}
		return f.Frozen()
	}
	value, err := readFile(h.Dir() + "/freezer.state")
	if err != nil && gone(err) {
		return false, nil
	}
	return err == nil && value != "THAWED", err
}

// Held lists the processes that stand still with the container's cgroup, or would.
func (f *freezer) Held() ([]int, error) {
	h := f.control()
	if h == nil {
		return nil, nil
	}
	return pidsBelow(h.Dir())
}

func frozenItself(h *Hierarchy) (bool, error) {
	file := "/freezer.self_freezing"
	if h.unified() {
		file = "/cgroup.freeze"
	}
	value, err := readFile(h.Dir() + file)
	return value == "1", err
}

// freeze1 freezes a v1 cgroup. The kernel doesn't promise to come from FREEZING to FROZEN while
// processes are being born; writing the state again makes it look at the new ones, thawing for a
// moment lets stuck ones pass.
func freeze1(dir string) error {
	file := dir + "/freezer.state"
	deadline := time.Now().Add(freezeDeadline)
	for try := 1; ; try++ {
		if err := writeFile(file, "FROZEN"); err != nil {
			return err
		}
		crash.Point("freezing")
		state, err := readFile(file)
		if err != nil {
			return err
		}
		if state == "FROZEN" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("freeze %q: still in state %s after %v", dir, state, freezeDeadline)
		}
		if try%50 == 0 {
			_ = writeFile(file, "THAWED")
			time.Sleep(5 * time.Millisecond)
		} else if try > 5 {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// freeze2 freezes a v2 cgroup and waits for the kernel's notice in cgroup.events.
func freeze2(dir string) error {
	events := dir + "/cgroup.events"
	fd, err := openFile(unix.AT_FDCWD, events, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := writeFile(dir+"/cgroup.freeze", "1"); err != nil {
		return err
	}
	crash.Point("freezing")
	deadline := time.Now().Add(freezeDeadline)
	for {
		text, err := readFrom(fd, events)
		if err != nil {
			return err
		}
		if strings.Contains(text, "frozen 1") {
			return nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("freeze %q: not frozen after %v", dir, freezeDeadline)
		}
		// A modified kernfs file signals POLLPRI. The short timeout is for a notice that came
		// before the poll.
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, int(min(left, 100*time.Millisecond).Milliseconds())+1)
		if err != nil && err != unix.EINTR { //nolint:errorlint // a bare errno
			return &fileError{Op: "poll", Path: events, Err: err}
		}
	}
}

// readFrom reads an open cgroup file from its beginning.
func readFrom(fd int, path string) (string, error) {
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return "", &fileError{Op: "seek", Path: path, Err: err}
	}
	return readFD(fd, path)
}
