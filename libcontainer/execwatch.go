package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/libcontainer/internal/cgroups"
)

// execWatch ends an exec whose helper was frozen on its way into the container, by a pause that
// came between, or in a container that was paused: nothing of it would move again before the
// container does. (A pause that comes in the fraction of a millisecond in which the helper still
// has our memory, vfork(2), holds us up as well, until the resume.)
type execWatch struct {
	options *ExecOptions
	cgroup  *cgroups.Manager
	still   bool // the container stood still before there was a helper
}

// newExecWatch looks at the container before an exec. Where there is no freezer there is nothing to
// watch.
func (c *Container) newExecWatch(o *ExecOptions) (*execWatch, error) {
	cgroup, err := c.cgroup()
	if err != nil || cgroup == nil || len(cgroup.Hierarchies()) == 0 {
		return nil, err
	}
	still, err := cgroup.StandsStill()
	return &execWatch{options: o, cgroup: cgroup, still: still}, err
}

// watchInterval is how often a helper is looked at that says nothing, in milliseconds. Most execs
// are done by then.
const watchInterval = 100

// await waits until there is something to read, or nothing to wait for.
func (w *execWatch) await(f *os.File) error {
	if w == nil {
		return nil
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, watchInterval)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for the process: %w", err)
		}
		if n > 0 {
			return nil
		}
		if err := w.look(); err != nil {
			return err
		}
	}
}

// look ends the helper if it can't go on, and tells why.
func (w *execWatch) look() error {
	still, err := w.cgroup.StandsStill()
	if err != nil || !still {
		return nil // as long as it isn't known, there may be something to wait for
	}
	frozen, err := w.cgroup.Frozen()
	switch {
	case err == nil && frozen && !w.options.IgnorePaused:
		err = errPaused
	case w.options.Interrupted != nil && w.options.Interrupted():
		err = errors.New("exec was interrupted while it waited for a paused container")
	default:
		return nil
	}
	w.endHelpers()
	return err
}

// abandon lets helpers end that are to be killed.
func (w *execWatch) abandon() {
	if w == nil {
		return
	}
	if still, err := w.cgroup.StandsStill(); err == nil && still {
		w.endHelpers()
	}
}

// endHelpers kills our children that the container's freezer holds. What they were to be is not a
// process of the container yet.
func (w *execWatch) endHelpers() {
	held, err := w.cgroup.Held()
	if err != nil {
		return
	}
	for _, pid := range held {
		if killChild(pid) {
			_ = w.cgroup.LetDie(pid)
		}
	}
}

// killChild kills a process if it is our child. Its pid can't be another's then: what has ended
// waits to be reaped.
func killChild(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return isChild(pid) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

// isChild tells whether a process is a child of ours, proc_pid_status(5).
func isChild(pid int) bool {
	status, err := files.Read("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && slices.Contains(strings.Split(string(status), "\n"), "PPid:\t"+strconv.Itoa(os.Getpid()))
}
