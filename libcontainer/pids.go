package libcontainer

import "github.com/opencontainers/runtime-spec/specs-go"

// Pids lists the processes of the container, as pids of the caller's pid namespace.
func (c *Container) Pids() ([]int, error) {
	cgroup, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	if cgroup != nil && len(cgroup.Hierarchies()) > 0 {
		return cgroup.Pids()
	}
	status, err := c.currentStatus()
	if err != nil || status == specs.StateStopped {
		return []int{}, err
	}
	return []int{c.record.Init.PID}, nil
}
