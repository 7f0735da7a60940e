package libcontainer

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/cgroups"
)

// ErrNotPaused is what resume returns for a container that isn't frozen. Engines know these words.
var ErrNotPaused = errors.New("container not paused")

// Pause freezes all processes of a container that is running, or created: that one can't be started until it is resumed.
func (c *Container) Pause() error {
	return c.withCgroup(func(cgroup *cgroups.Manager, status specs.ContainerState) error {
		if status != specs.StateRunning && status != specs.StateCreated {
			return fmt.Errorf("%w: %q is %s", ErrNotRunning, c.record.ID, status)
		}
		return cgroup.Freeze()
	})
}

// Resume lets the processes of a paused container go on. The container is then what it was before.
func (c *Container) Resume() error {
	return c.withCgroup(func(cgroup *cgroups.Manager, status specs.ContainerState) error {
		if status != Paused {
			return fmt.Errorf("%w: %q is %s", ErrNotPaused, c.record.ID, status)
		}
		return cgroup.Thaw()
	})
}

// withCgroup does something with the cgroups of the container, under its lock.
func (c *Container) withCgroup(do func(*cgroups.Manager, specs.ContainerState) error) error {
	dir, err := c.lock()
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := c.status(dir)
	if err != nil {
		return err
	}
	cgroup, err := c.cgroup()
	if err != nil {
		return err
	}
	if cgroup == nil || len(cgroup.Hierarchies()) == 0 {
		return fmt.Errorf("container %q has no cgroup of its own", c.record.ID)
	}
	return do(cgroup, status)
}
