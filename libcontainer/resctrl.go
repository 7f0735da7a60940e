package libcontainer

import "oci-run/libcontainer/rdt"

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
