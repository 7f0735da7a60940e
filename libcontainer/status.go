package libcontainer

import (
	"fmt"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/state"
)

// Paused is the status of a container whose processes are frozen. The specification
// leaves room for it (runtime.md, State).
const Paused specs.ContainerState = "paused"

// State is the answer of `state` and `list`, runtime.md (State) with the fields that
// engines know from runc.
type State struct {
	Version     string               `json:"ociVersion"`
	ID          string               `json:"id"`
	PID         int                  `json:"pid"`
	Status      specs.ContainerState `json:"status"`
	Bundle      string               `json:"bundle"`
	Rootfs      string               `json:"rootfs"`
	Created     time.Time            `json:"created"`
	Annotations map[string]string    `json:"annotations,omitempty"`
	Owner       string               `json:"owner"`

	Ending *Ending `json:"-"` // of one that has stopped, if it is known; annotations say the same
}

// currentStatus computes the container's status: from its process, the start channel and the
// freezer.
func (c *Container) currentStatus() (specs.ContainerState, error) {
	dir, err := c.dir()
	if err != nil {
		return "", err
	}
	defer dir.Close()
	return c.status(dir)
}

// status is Status in the container's open directory, locked or not.
func (c *Container) status(dir *state.Dir) (specs.ContainerState, error) {
	for {
		status, err := c.look(dir)
		if err != nil || status != specs.StateStopped {
			return status, err
		}
		// What says so may have been read before a create that has committed and ended since, or
		// another container of the same name may have taken the place. Whoever is dead writes no
		// more: what it wrote last counts.
		changed, err := c.reread(dir)
		if err != nil || !changed {
			return specs.StateStopped, err
		}
	}
}

// look computes the status from the record as it was read.
func (c *Container) look(dir *state.Dir) (specs.ContainerState, error) {
	process, alive := c.record.Init, specs.StateRunning
	if c.record.Phase == state.Creating {
		process, alive = c.record.Creator, specs.StateCreating
		if process.PID == 0 && !dir.Locked() {
			return alive, nil // a create that has not said yet who it is
		}
	}
	lives, err := process.Alive()
	switch {
	case err != nil:
		return "", fmt.Errorf("container %q: %w", c.record.ID, err)
	case !lives:
		return specs.StateStopped, nil
	case alive == specs.StateCreating:
		return alive, nil
	}
	if c.record.Ahead && !dir.Locked() {
		if unready, err := dir.Unready(); err != nil || unready {
			return specs.StateCreating, err
		}
	}
	// Before anything else: a created container can be paused as well, and is created again when it
	// is resumed.
	frozen, err := c.frozen()
	if err != nil {
		return "", err
	}
	if frozen {
		return Paused, nil
	}
	if waits, err := c.waits(dir); err != nil || waits {
		return specs.StateCreated, err
	}
	return alive, nil
}

// waits tells whether the container's program does not run yet: it was not started, or its
// startContainer hooks run, during which it still is created, runtime.md (Lifecycle, steps 6 and
// 7).
func (c *Container) waits(dir *state.Dir) (bool, error) {
	waits, err := dir.Startable()
	if err == nil && !waits && c.record.StartHooks {
		waits, err = dir.Starting()
	}
	if err != nil {
		err = fmt.Errorf("container %q: %w", c.record.ID, err)
	}
	return waits, err
}

// reread reads the record again, and tells whether it says something else of the processes than
// before.
func (c *Container) reread(dir *state.Dir) (changed bool, err error) {
	before := c.record
	if err := c.refresh(dir); err != nil {
		return false, err
	}
	now := c.record
	return now.Phase != before.Phase || now.Creator != before.Creator || now.Init != before.Init, nil
}

// frozen tells whether the container's processes are frozen.
func (c *Container) frozen() (bool, error) {
	cgroup, err := c.cgroup()
	if err != nil || cgroup == nil {
		return false, err
	}
	return cgroup.Frozen()
}

// State tells all that `state` prints.
func (c *Container) State() (*State, error) {
	dir, err := c.dir()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	status, err := c.status(dir)
	if err != nil {
		return nil, err
	}
	s := &State{
		Version: c.record.OCIVersion, ID: c.record.ID, Status: status, Bundle: c.record.Bundle, Rootfs: c.record.Rootfs,
		Created: c.record.Created, Annotations: c.record.Annotations, Owner: owner(dir.File()),
	}
	if status != specs.StateStopped {
		s.PID = c.record.Init.PID
	} else if c.record.Phase == state.Created {
		s.Ending, s.Annotations = c.lookBack(dir)
	}
	return s, nil
}
