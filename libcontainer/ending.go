package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/libcontainer/internal/state"
)

// Ending is how a container's process ended.
type Ending struct {
	Code   int         // its exit status, or 128 and the number of the signal
	Signal unix.Signal // that ended it, or 0
	OOM    bool        // the kernel killed it, or another process of the container, for want of memory
}

// The annotations by which the state of a container that has stopped tells how it ended, as far as
// that is known. They stand beside those of the configuration, and before them where these have the
// same names.
const (
	annotationCode   = "io.github.oci-run.exit.code"   // as Ending.Code
	annotationSignal = "io.github.oci-run.exit.signal" // SIGKILL
	annotationOOM    = "io.github.oci-run.exit.oom"    // true
)

// endingOf reads a status of wait(2).
func endingOf(ws unix.WaitStatus) *Ending {
	if ws.Signaled() {
		return &Ending{Code: 128 + int(ws.Signal()), Signal: ws.Signal()}
	}
	return &Ending{Code: ws.ExitStatus()}
}

// ending is endingOf with a look at what the kernel has killed since it had killed so many.
func (c *Container) ending(ws unix.WaitStatus, killsBefore uint64) *Ending {
	e := endingOf(ws)
	e.OOM = e.Signal == unix.SIGKILL && c.oomKills() > killsBefore
	return e
}

// oomKills counts what the kernel has killed in the container's cgroup for want of
// memory. It is 0 if that can't be known.
func (c *Container) oomKills() uint64 {
	cgroup, err := c.cgroup()
	if err != nil || cgroup == nil {
		return 0
	}
	kills, err := cgroup.OOMKills()
	if err != nil {
		return 0
	}
	return kills
}

// keepPatience is how long keep waits for the container's lock. Who holds it for longer runs
// hooks, and most of those are of a delete, after which there is nothing to keep.
const keepPatience = 100 * time.Millisecond

// KeepEnding writes down what [Foreground.Attend] told of the container's process, for
// [Container.State] and [Container.Wait] to tell later: the kernel tells it nobody but the parent,
// and once. It adds whether memory ran out. Nil, which is not known, is not written. Nothing
// depends on it: what goes wrong is logged at the debug level.
func (c *Container) KeepEnding(e *Ending) {
	if e == nil {
		return
	}
	e.OOM = e.Signal == unix.SIGKILL && c.oomKills() > 0
	c.keep(e)
}

// keep is KeepEnding for an ending that is complete.
func (c *Container) keep(e *Ending) {
	if err := c.saveEnding(e); err != nil && !errors.Is(err, ErrNotExist) {
		log.Debug(fmt.Sprintf("container %q: how it ended is not kept: %v", c.ID(), err))
	}
}

func (c *Container) saveEnding(e *Ending) error {
	dir, err := state.LockWithin(c.root, c.record.ID, keepPatience)
	if err != nil {
		return err
	}
	defer dir.Close()
	init := c.record.Init
	if err := c.refresh(dir); err != nil {
		return err
	}
	if c.record.Init != init {
		return nil // another container has the name by now
	}
	return dir.SaveEnd(&state.End{Code: e.Code, Signal: int(e.Signal), OOM: e.OOM})
}

// pastEnding is how the process of a container that has stopped ended: what was kept, or what the
// kernel tells until its parent has reaped it. It is nil if nobody knows.
func (c *Container) pastEnding(dir *state.Dir) (e *Ending, kept bool, err error) {
	end, err := dir.End()
	if err == nil {
		return &Ending{Code: end.Code, Signal: unix.Signal(end.Signal), OOM: end.OOM}, true, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("container %q: %w", c.ID(), err)
	}
	if ws, ok := c.record.Init.Ended(); ok {
		return c.ending(unix.WaitStatus(ws), 0), false, nil
	}
	return nil, false, nil
}

// endedBefore is what Wait tells of a container that had stopped.
func (c *Container) endedBefore() (e *Ending, seen bool, err error) {
	dir, err := c.dir()
	if err != nil {
		return nil, false, err
	}
	defer dir.Close()
	e, kept, err := c.pastEnding(dir)
	switch {
	case err != nil:
		return nil, false, err
	case e != nil:
		return e, !kept, nil
	}
	return nil, false, c.endUnknown()
}

func (c *Container) endUnknown() error {
	hint := ""
	if c.oomKills() > 0 {
		hint = ", but the kernel has killed a process of it for want of memory"
	}
	return fmt.Errorf("container %q has stopped; its exit status is no longer available%s", c.ID(), hint)
}

// lookBack tells how the process of a container that has stopped ended, and its annotations with
// that. A file that can't be read is no reason for not telling the state.
func (c *Container) lookBack(dir *state.Dir) (*Ending, map[string]string) {
	e, _, err := c.pastEnding(dir)
	if err != nil {
		log.Debug(err.Error())
	}
	if e == nil {
		if c.oomKills() == 0 {
			return nil, c.record.Annotations
		}
		return nil, annotated(c.record.Annotations, annotationOOM, "true")
	}
	list := annotated(c.record.Annotations, annotationCode, strconv.Itoa(e.Code))
	if e.Signal != 0 {
		list[annotationSignal] = e.SignalName()
	}
	if e.OOM {
		list[annotationOOM] = "true"
	}
	return e, list
}

// annotated is a copy of annotations with one more.
func annotated(list map[string]string, name, value string) map[string]string {
	made := make(map[string]string, len(list)+3)
	maps.Copy(made, list)
	made[name] = value
	return made
}

// SignalName is the name of the signal, SIGKILL, or its number where that has none (SIGRTMIN+3 is
// 37); "" without a signal.
func (e *Ending) SignalName() string {
	if e.Signal == 0 {
		return ""
	}
	if name := unix.SignalName(e.Signal); name != "" {
		return name
	}
	return strconv.Itoa(int(e.Signal))
}
