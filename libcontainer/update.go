package libcontainer

import (
	"bytes"
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/oncejson"
	"oci-run/libcontainer/internal/cgroups"
)

// Update is a change to the limits of a container that exists.
type Update struct {
	Resources *specs.LinuxResources
	// The schemata of Intel RDT; "" leaves them as they are.
	L3CacheSchema, MemBwSchema string
}

// Update changes the limits that u mentions, all of them or none. A container without a cgroup has
// none to change, but may be told what it has already: Podman 5 does so for an ordinary user when
// something of its own changes, such as the restart policy.
func (c *Container) Update(u *Update) error {
	err := c.withCgroup(toUpdate, func(cgroup *cgroups.Manager) error {
		r := *u.Resources
		if err := c.dropSameDevices(&r); err != nil {
			return err
		}
		undo, err := c.updateResctrl(u)
		if err != nil {
			return err
		}
		if err := cgroup.Set(&r); err != nil {
			return errors.Join(err, undo())
		}
		return nil
	})
	if !errors.Is(err, errNoCgroup) || u.L3CacheSchema != "" || u.MemBwSchema != "" {
		return err
	}
	r := *u.Resources
	if unread := c.dropSameDevices(&r); unread != nil {
		return unread
	}
	if isSame(&r, &specs.LinuxResources{}) {
		return nil
	}
	return err
}

// isSame tells if config.json would say the same by both.
func isSame(a, b any) bool {
	one, unwritable := oncejson.Encode(a)
	other, unwritableToo := oncejson.Encode(b)
	return unwritable == nil && unwritableToo == nil && bytes.Equal(one, other)
}

// dropSameDevices takes device rules out of a change that are those of config.json: engines send
// all of the container's resources back, and somebody else (a GPU plugin) may have allowed a device
// meanwhile.
func (c *Container) dropSameDevices(r *specs.LinuxResources) error {
	if len(r.Devices) == 0 {
		return nil
	}
	dir, err := c.dir()
	if err != nil {
		return err
	}
	defer dir.Close()
	spec, err := c.spec(dir)
	if err != nil {
		return err
	}
	if l := spec.Linux; l != nil && l.Resources != nil && isSame(l.Resources.Devices, r.Devices) {
		r.Devices = nil
	}
	return nil
}
