package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// reaped is how long Wait gives the parent of an ended process to reap it, before which
// the kernel doesn't tell strangers how it ended, unless they are root.
const reaped = 100 * time.Millisecond

// Wait waits until the container's process has ended, whoever is its parent. How it ended
// is known if Wait was there, and either sees it before its parent reaps it or runs on
// Linux 6.15 or newer; or if somebody has kept it ([Container.KeepEnding], or another Wait).
func (c *Container) Wait() (*Ending, error) {
	end, seen, err := c.wait()
	if seen {
		c.keep(end)
	}
	return end, err
}

// wait is Wait; seen tells that the answer has not been kept yet.
func (c *Container) wait() (end *Ending, seen bool, err error) {
	status, err := c.currentStatus()
	if err != nil {
		return nil, false, err
	}
	if err := toWait.require(c.record.ID, status); err != nil {
		return nil, false, err
	}
	before := c.oomKills()
	fd, err := c.record.Init.PidFD()
	if errors.Is(err, unix.ESRCH) {
		return c.endedBefore()
	}
	if err != nil {
		return nil, false, fmt.Errorf("pidfd_open %d: %w", c.record.Init.PID, err)
	}
	init := os.NewFile(uintptr(fd), "container "+c.ID())
	defer init.Close()
	alive, err := c.record.Init.Alive()
	if err != nil {
		return nil, false, err
	}
	if !alive {
		return c.endedBefore() // the pid may be another process's by now
	}
	if err := pollEnd(fd); err != nil {
		return nil, false, err
	}
	ws, ok := c.exitStatus(fd)
	if !ok {
		return c.endedBefore()
	}
	return c.ending(ws, before), true, nil
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
