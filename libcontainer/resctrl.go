package libcontainer

import (
	"errors"

	"oci-run/libcontainer/internal/rdt"
)

// makeResctrlGroup puts init into the resctrl group of linux.intelRdt. The record says
// what is to be removed: as long as the container is being made, all that was made;
// later, what the specification wants removed.
func (c *creation) makeResctrlGroup() error {
	group := c.plan.resctrl
	err := group.Create(c.init.PID)
	c.record.IntelRdt = group.Makes()
	return err
}

// removeResctrlGroup removes what the record says.
func (c *Container) removeResctrlGroup() error { return rdt.Remove(c.record.IntelRdt) }

// updateResctrl writes the schemas of an update, and tells how to take them back.
func (c *Container) updateResctrl(u *Update) (undo func() error, err error) {
	if u.L3CacheSchema == "" && u.MemBwSchema == "" {
		return func() error { return nil }, nil
	}
	spec, err := c.Config()
	if err != nil {
		return nil, err
	}
	if spec.Linux == nil || spec.Linux.IntelRdt == nil {
		return nil, errors.New("updating a non-existent Intel RDT configuration is not supported")
	}
	return rdt.Set(spec.Linux.IntelRdt, c.record.ID, "", u.L3CacheSchema, u.MemBwSchema)
}
