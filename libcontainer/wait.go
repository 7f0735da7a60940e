package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Ending is how a container's process ended.
type Ending struct {
	Code   int         // its exit status, or 128 and the number of the signal
	Signal unix.Signal // that ended it, or 0
	OOM    bool        // the kernel killed it, or another process of the container, for want of memory
}

// reaped is how long Wait gives the parent of an ended process to reap it, before which
// the kernel doesn't tell strangers how it ended, unless they are root.
const reaped = 100 * time.Millisecond

// Wait waits until the container's process has ended, whoever is its parent. How it ended
// is known if Wait was there, and either sees it before its parent reaps it or runs on
// Linux 6.15 or newer.
func (c *Container) Wait() (*Ending, error) {
	status, err := c.currentStatus()
	if err != nil {
		return nil, err
	}
	if err := toWait.require(c.record.ID, status); err != nil {
		return nil, err
	}
	before := c.oomKills()
	fd, err := c.record.Init.PidFD()
	if errors.Is(err, unix.ESRCH) {
		return nil, c.endUnknown()
	}
	if err != nil {
		return nil, fmt.Errorf("pidfd_open %d: %w", c.record.Init.PID, err)
	}
	init := os.NewFile(uintptr(fd), "container "+c.ID())
	defer init.Close()
	alive, err := c.record.Init.Alive()
	if err != nil {
		return nil, err
	}
	if !alive {
		if ws, ok := c.record.Init.Ended(); ok {
			return c.ending(unix.WaitStatus(ws), 0), nil
		}
		return nil, c.endUnknown() // the pid is another process's by now
	}
	if err := pollEnd(fd); err != nil {
		return nil, err
	}
	ws, ok := c.exitStatus(fd)
	if !ok {
		return nil, c.endUnknown()
	}
	return c.ending(ws, before), nil
}

func (c *Container) endUnknown() error {
	return fmt.Errorf("container %q has stopped; its exit status is no longer available", c.ID())
}

func (c *Container) ending(ws unix.WaitStatus, killsBefore uint64) *Ending {
	if !ws.Signaled() {
		return &Ending{Code: ws.ExitStatus()}
	}
	e := &Ending{Code: 128 + int(ws.Signal()), Signal: ws.Signal()}
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

func pollEnd(pidfd int) error {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case err == nil:
			return nil
		case err != unix.EINTR:
			return fmt.Errorf("poll a pidfd: %w", err)
		}
	}
}

// exitStatus asks how a process ended: /proc as long as nobody has reaped it, the kernel's
// memory of it after that.
func (c *Container) exitStatus(pidfd int) (unix.WaitStatus, bool) {
	for deadline := time.Now().Add(reaped); ; time.Sleep(time.Millisecond) {
		if ws, ok := c.record.Init.Ended(); ok {
			return unix.WaitStatus(ws), true
		}
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		if unix.IoctlPidfdInfo(pidfd, &info) == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			return unix.WaitStatus(info.Exit_code), true
		}
		if time.Now().After(deadline) {
			return 0, false
		}
	}
}
