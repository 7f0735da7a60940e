package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/hooks"
	"oci-run/libcontainer/state"
)

// Delete removes what create made: processes, cgroup, directory. Without force only a
// container that has stopped, or was never started, is deleted.
func (c *Container) Delete(force bool) error {
	dir, err := c.lockForDelete(force)
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := c.status(dir)
	if !force && err == nil && status == specs.StateRunning && c.record.Init.Dying() {
		// It was killed a moment ago, and is a container that has stopped to whoever did that.
		if err := end(c.record.Init); err != nil {
			return err
		}
		status, err = c.status(dir)
	}
	if err != nil && !force {
		return err
	}
	if !force && status != specs.StateStopped && status != specs.StateCreated {
		return fmt.Errorf("cannot delete container %q that is not stopped: %s", c.record.ID, status)
	}
	return c.destroy(dir, status)
}

// lockForDelete takes the lock. With force it does not wait for a create that hangs: that
// container's init is killed, on which the create fails and lets go.
func (c *Container) lockForDelete(force bool) (*state.Dir, error) {
	if !force {
		return c.lock()
	}
	deadline := time.Now().Add(killTimeout)
	for {
		dir, err := state.TryLock(c.root, c.record.ID)
		if err == nil {
			if err = c.refresh(dir); err != nil {
				dir.Close()
			}
			return dir, err
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			return nil, err
		}
		c.interruptCreate()
		time.Sleep(2 * time.Millisecond)
	}
}

// interruptCreate kills the init process of a container in phase creating.
func (c *Container) interruptCreate() {
	dir, err := c.dir()
	if err != nil {
		return
	}
	defer dir.Close()
	r, err := dir.Record()
	if err != nil || r.Phase != state.Creating {
		return
	}
	creating := &Container{root: c.root, record: r}
	if cgroup, err := creating.cgroup(); err == nil && cgroup != nil {
		_ = cgroup.Kill()
	}
	_ = end(r.Init)
}

// destroy undoes create, in the reverse order, whatever part of it there is. The record
// goes last, so that a destroy that fails or is killed can be repeated.
func (c *Container) destroy(dir *state.Dir, status specs.ContainerState) error {
	err := c.endProcesses(status)
	if err == nil {
		err = c.removeResctrlGroup()
	}
	if err == nil {
		crashPoint("ended")
		c.poststop(dir)
		crashPoint("poststop")
		err = dir.Remove()
	}
	if err != nil {
		return fmt.Errorf("delete container %q: %w", c.record.ID, err)
	}
	return nil
}

// endProcesses kills what runs in the container and removes its cgroup. The end of init
// is that of all processes in its pid namespace; without one, when init may not be on
// record, and where a freezer holds signals back, the cgroup tells which to kill.
func (c *Container) endProcesses(status specs.ContainerState) error {
	cgroup, err := c.cgroup()
	if err != nil {
		return err
	}
	if cgroup != nil && (c.record.SharedPID || c.record.Phase == state.Creating || status == Paused) {
		if err := cgroup.Kill(); err != nil {
			return err
		}
	}
	crashPoint("emptied")
	if err := end(c.record.Init); err != nil {
		return err
	}
	if cgroup == nil {
		return nil
	}
	return cgroup.Destroy()
}

// poststop runs the poststop hooks. Their errors are logged and change nothing,
// runtime.md (Lifecycle, step 13).
func (c *Container) poststop(dir *state.Dir) {
	if !c.record.Poststop {
		return
	}
	spec, err := c.spec(dir)
	if errors.Is(err, fs.ErrNotExist) && c.record.Phase == state.Creating {
		return // it did not come to any hook
	}
	if err != nil {
		slog.Warn(err.Error())
		return
	}
	if spec.Hooks == nil {
		return
	}
	hooks.RunAll("poststop", spec.Hooks.Poststop, hookState(c.record, specs.StateStopped, 0))
}
