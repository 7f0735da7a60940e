package libcontainer

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/cgroups"
)

// Pause freezes all processes of a container that is running, or created: that one can't be started
// until it is resumed.
func (c *Container) Pause() error {
	return c.withCgroup(toPause, c.freeze)
}

// freeze freezes the cgroup unless the container ends meanwhile. A killed init would be held back
// (v1), and an empty cgroup would hold whatever an exec brings into it.
func (c *Container) freeze(cgroup *cgroups.Manager) error {
	if err := cgroup.Freeze(); err != nil {
		return err
	}
	err := living(c.record.Init)
	if err == nil && c.record.Init.Dying() {
		err = unix.ESRCH
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.ESRCH) {
		err = toPause.require(c.record.ID, specs.StateStopped)
	}
	return errors.Join(err, cgroup.Thaw())
}

// Resume lets the processes of a paused container go on. The container is then what it was before.
func (c *Container) Resume() error {
	return c.withCgroup(toResume, (*cgroups.Manager).Thaw)
}

// withCgroup does something with the cgroups of the container, under its lock, if its status allows
// that. The status comes first: what engines look for is about it.
func (c *Container) withCgroup(v verb, do func(*cgroups.Manager) error) error {
	dir, err := c.lock()
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := c.status(dir)
	if err != nil {
		return err
	}
	if err := v.require(c.record.ID, status); err != nil {
		return err
	}
	cgroup, err := c.cgroup()
	if err != nil {
		return err
	}
	if cgroup == nil || len(cgroup.Hierarchies()) == 0 {
		return fmt.Errorf("%w: %q", errNoCgroup, c.record.ID)
	}
	return do(cgroup)
}
