package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/state"
)

// killTimeout bounds the wait for a killed process. One that takes longer hangs in the
// kernel.
const killTimeout = 10 * time.Second

// Kill sends a signal to the container's init process; with all, or if SIGKILL goes to a
// container without a pid namespace of its own (where the end of init ends nothing else),
// to every process of the container. With all, a container that has stopped is not an error.
func (c *Container) Kill(signal syscall.Signal, all bool) error {
	status, err := c.currentStatus()
	if err != nil {
		return err
	}
	alone := c.record.SharedPID
	if all || alone && signal == unix.SIGKILL {
		return c.signalAll(signal)
	}
	if err := toKill.require(c.record.ID, status); err != nil {
		return err
	}
	if err := signalProcess(c.record.Init, signal); err != nil {
		return err
	}
	if signal == unix.SIGKILL {
		return c.thawKilled()
	}
	return nil
}

// thawKilled lets a killed but frozen container die: cgroup v1 holds even SIGKILL back. It is
// looked at now, since a pause may have come between; one that comes later finds that the container
// dies.
func (c *Container) thawKilled() error {
	cgroup, err := c.cgroup()
	if err != nil || cgroup == nil {
		return err
	}
	return cgroup.ThawKilled()
}

// signalAll reaches every process in the container's cgroup; where it has none, as a user's may,
// its init process, with which its pid namespace ends. That there is nobody left is not an error.
func (c *Container) signalAll(signal syscall.Signal) error {
	cgroup, err := c.cgroup()
	if err != nil {
		return err
	}
	if cgroup == nil || len(cgroup.Hierarchies()) == 0 {
		if err := signalProcess(c.record.Init, signal); !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		return nil
	}
	if signal == unix.SIGKILL {
		return cgroup.Kill()
	}
	return cgroup.Signal(signal)
}

// signalProcess signals exactly this process: the pidfd holds on to it, so that the start
// time that is compared after opening belongs to what gets the signal.
func signalProcess(p state.Process, signal syscall.Signal) error {
	fd, err := p.PidFD()
	if err == nil {
		defer unix.Close(fd)
		err = signalOwn(p, fd, signal)
	}
	if errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%w: %w", ErrNotRunning, os.ErrProcessDone)
	}
	if err != nil {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}

// signalOwn signals the process of a pidfd if that is p, and not a later one with its pid.
func signalOwn(p state.Process, fd int, signal syscall.Signal) error {
	if err := living(p); err != nil {
		return err
	}
	return linux.NameCall("pidfd_send_signal", unix.PidfdSendSignal(fd, signal, nil, 0))
}

// living returns ESRCH if the process has ended, and another error if that can't be known.
func living(p state.Process) error {
	alive, err := p.Alive()
	if err == nil && !alive {
		err = unix.ESRCH
	}
	return err
}

// errSurvives is that a process has not ended in the time that it was given.
var errSurvives = errors.New("it survives SIGKILL")

// end kills a process and waits until it is gone, or a zombie that its parent has to
// reap. A process that is gone already is not an error.
func end(p state.Process) error { return endWithin(p, killTimeout) }

// endWithin is end with a limited wait, after which the error wraps errSurvives.
func endWithin(p state.Process, limit time.Duration) error {
	if p.PID <= 0 {
		return nil
	}
	fd, err := p.PidFD()
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	err = signalOwn(p, fd, unix.SIGKILL)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kill process %d: %w", p.PID, err)
	}
	return awaitEnd(fd, p.PID, limit)
}

// awaitEnd waits until the process of a pidfd has ended.
func awaitEnd(fd, pid int, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		left := time.Until(deadline)
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, max(0, int(left.Milliseconds())))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("wait for the end of process %d: %w", pid, err)
		case n == 0:
			return fmt.Errorf("process %d did not end within %v: %w", pid, limit, errSurvives)
		default:
			return nil
		}
	}
}
