package cgroups

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/crash"
)

// killDeadline is how long Kill waits for the processes to be gone.
const killDeadline = 10 * time.Second

// killer sends signals to all processes of a container, for which it freezes them.
type killer struct{ freezer }

// Kill kills every process in the container's cgroup and below, also those of a frozen one, and
// waits until they have left it. A process that waits to be reaped by its parent has left.
func (k *killer) Kill() error {
	killed := false
	if h := k.hierarchy(""); h != nil {
		// Kernel 5.14: kills all at once, and what they fork meanwhile.
		if err := writeFile(h.Dir()+"/cgroup.kill", "1"); err == nil {
			if k.record.Mode == V2 {
				return waitEmpty(h)
			}
			if err := k.thawBelow(); err != nil { // a v1 freezer holds back the signal
				return err
			}
			killed = true
		} else if k.record.Mode == V2 && !gone(err) && !errors.Is(err, unix.ENOTSUP) { // which it is for a threaded cgroup
			return err
		}
	}
	return k.killEach(killed)
}

// killEach signals what the kernel can't kill at once: v1 cgroups. Where it has killed them (on a
// hybrid host), they get the time for eight looks before that.
func (k *killer) killEach(killed bool) error {
	deadline := time.Now().Add(killDeadline)
	for wait, look := 100*time.Microsecond, 0; ; wait, look = min(2*wait, 20*time.Millisecond), look+1 {
		pids, err := k.Pids()
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d process(es) of the container survive SIGKILL: pid %v", len(pids), pids)
		}
		if !killed || look >= 8 {
			if err := k.Signal(unix.SIGKILL); err != nil {
				return err
			}
		}
		if look >= 4 && k.frozenAbove() {
			k.letDie(pids)
		}
		time.Sleep(wait)
	}
}

// letDie is LetDie for the container's processes. One that has gone meanwhile does not matter; the
// caller looks again at those that are left.
func (k *killer) letDie(pids []int) {
	for _, pid := range pids {
		_ = k.LetDie(pid)
	}
}

// Signal sends a signal to every process in the container's cgroup and below. The cgroup is frozen
// meanwhile unless that is impossible, so that none escapes by forking; a cgroup that was frozen
// before is frozen afterwards. Only SIGKILL thaws it and all below it: a frozen v1 cgroup would not
// have it delivered.
func (k *killer) Signal(sig unix.Signal) error {
	was, err := k.Frozen()
	if err != nil {
		return err
	}
	if !was {
		// Best effort, and on no account left frozen.
		_ = k.tryFreeze()
		crash.Point("held")
	}
	err = k.signalAll(sig)
	var terr error
	switch {
	case sig == unix.SIGKILL:
		terr = k.thawBelow()
	case !was:
		terr = k.Thaw()
	}
	if err == nil {
		err = terr
	}
	return err
}

// tryFreeze orders to freeze, without waiting until it has come true: a process that can't fork is
// all that is wanted, and a later look at the cgroup's processes finds what could.
func (k *killer) tryFreeze() error {
	h := k.control()
	if h == nil {
		return errNoFreezer
	}
	if h.unified() {
		return writeFile(h.Dir()+"/cgroup.freeze", "1")
	}
	return writeFile(h.Dir()+"/freezer.state", "FROZEN")
}

// waitEmpty waits for the notice that no process is left in a v2 cgroup.
func waitEmpty(h *Hierarchy) error {
	deadline := time.Now().Add(killDeadline)
	file := h.Dir() + "/cgroup.events"
	fd, err := openFile(unix.AT_FDCWD, file, unix.O_RDONLY)
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	defer unix.Close(fd)
	for {
		text, err := readFrom(fd, file)
		switch {
		case err != nil && gone(err), err == nil && !populated(text):
			return nil
		case err != nil:
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("processes in %q survive cgroup.kill for %v", h.Dir(), killDeadline)
		}
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, 100)
		if err != nil && err != unix.EINTR { //nolint:errorlint // a bare errno
			return &fileError{Op: "poll", Path: file, Err: err}
		}
	}
}
