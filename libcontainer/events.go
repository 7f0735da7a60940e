package libcontainer

import (
	"errors"
	"fmt"

	"oci-run/libcontainer/internal/cgroups"
)

// errNoCgroup is what some commands can't do without, and a user's container may lack.
var errNoCgroup = errors.New("the container has no cgroup of its own")

// Stats reads the counters of a container that has not stopped. They are all zero if it has no
// cgroup of its own.
func (c *Container) Stats() (*cgroups.Stats, error) {
	cgroup, err := c.liveCgroup()
	if errors.Is(err, errNoCgroup) {
		return cgroups.NoStats(), nil
	}
	if err != nil {
		return nil, err
	}
	return cgroup.Stats()
}

// WatchOOM starts to look for out-of-memory kills in the container.
func (c *Container) WatchOOM() (*cgroups.OOMWatch, error) {
	cgroup, err := c.liveCgroup()
	if err != nil {
		return nil, err
	}
	return cgroup.WatchOOM()
}

// liveCgroup gives the cgroups of a container that has not stopped. It takes no lock: looking
// changes nothing.
func (c *Container) liveCgroup() (*cgroups.Manager, error) {
	status, err := c.currentStatus()
	if err != nil {
		return nil, err
	}
	if err := toMeasure.require(c.record.ID, status); err != nil {
		return nil, err
	}
	cgroup, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	if cgroup == nil || len(cgroup.Hierarchies()) == 0 {
		return nil, fmt.Errorf("%w: %q", errNoCgroup, c.record.ID)
	}
	return cgroup, nil
}
