package libcontainer

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/state"
)

// forcePatience is how long a forced delete waits for whoever holds the container's lock,
// after it has ended the container under him: most commands then fail and let go at once.
const forcePatience = time.Second

// forceDelete ends the container whatever it does, and whatever another command does to it.
func (c *Container) forceDelete() error {
	dir, err := c.lockByForce()
	if err != nil {
		return err
	}
	defer dir.Close()
	status, _ := c.status(dir) // if it can't be known, it is not for long that it matters
	return c.destroy(dir, status)
}

// lockByForce takes the lock, if that can be had soon. Another command may hold it for as
// long as a hook of the container runs, or until init answers, which may be for ever. So
// the container is ended first, and if that does not make the command let go, the
// directory comes without its lock. The command then finds that there is no container.
func (c *Container) lockByForce() (*state.Dir, error) {
	for deadline := time.Now().Add(forcePatience); ; time.Sleep(2 * time.Millisecond) {
		dir, err := state.TryLock(c.root, c.record.ID)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return c.current(dir, err)
		}
		if dir, err = c.current(c.dir()); err != nil {
			return nil, err
		}
		c.interrupt()
		if time.Now().Before(deadline) {
			dir.Close()
			continue
		}
		if c.record.Phase != state.Creating || c.record.Init.PID > 0 {
			return dir, nil
		}
		dir.Close()
		return c.lockOfCreator()
	}
}

// current is a directory that was opened, with the record as it is now.
func (c *Container) current(dir *state.Dir, err error) (*state.Dir, error) {
	if err != nil {
		return nil, err
	}
	if err := c.refresh(dir); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// interrupt kills the processes of a container that another command holds. What goes wrong
// is seen when it is destroyed.
func (c *Container) interrupt() {
	cgroup, err := c.cgroup()
	if err != nil {
		return
	}
	if cgroup != nil {
		_ = cgroup.Kill()
	}
	_ = c.endInit(cgroup)
}

// lockOfCreator ends a create that has not come to make an init, and so can't be made to
// fail by the end of that: it waits for systemd, say. As it goes on to make things, there
// is no going on beside it.
func (c *Container) lockOfCreator() (*state.Dir, error) {
	if c.record.Creator.PID != os.Getpid() {
		if err := end(c.record.Creator); err != nil {
			return nil, err
		}
	}
	return c.lock()
}
