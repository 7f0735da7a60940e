package libcontainer

import (
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/state"
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
}

// Status computes the container's status: from its process, the start channel and the
// freezer.
func (c *Container) Status() (specs.ContainerState, error) {
	dir, err := c.dir()
	if err != nil {
		return "", err
	}
	defer dir.Close()
	return c.status(dir)
}

func (c *Container) status(dir *state.Dir) (specs.ContainerState, error) {
	switch {
	case c.record.Phase == state.Creating && c.record.Creator.Alive():
		return specs.StateCreating, nil
	case c.record.Phase == state.Creating, !c.record.Init.Alive():
		return specs.StateStopped, nil
	}
	// Before anything else: a created container can be paused as well, and is created again when it is resumed.
	frozen, err := c.frozen()
	switch {
	case frozen:
		return Paused, nil
	case dir.Startable():
		return specs.StateCreated, err
	}
	return specs.StateRunning, err
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
	}
	return s, nil
}
