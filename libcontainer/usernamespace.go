package libcontainer

import (
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/files"
	"oci-run/libcontainer/internal/idmap"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/spawn"
	"oci-run/specconv"
)

// adoptMappings completes the config with the mappings of a user namespace to join, as the
// kernel has them. If the config has mappings too, they have to be the same: files would
// be made to belong to the wrong users otherwise.
func (p *plan) adoptMappings(spec *specs.Spec) error {
	for _, j := range p.joined {
		if j.Kind.Type != specs.UserNamespace {
			continue
		}
		linux := spec.Linux
		err := spawn.InUserNamespace(j.File, func(pid int) (err error) {
			linux.UIDMappings, linux.GIDMappings, err = idmap.Verify(pid, linux.UIDMappings, linux.GIDMappings)
			return err
		})
		if err != nil {
			return err
		}
		return specconv.CheckUser(spec)
	}
	return nil
}

// groupsDenied tells whether the user namespace that we are in denies setgroups(2), as one
// made without privileges does. A container without one of its own is in the same.
func groupsDenied() bool {
	if !idmap.InUserNamespace() {
		return false
	}
	text, err := files.Read("/proc/self/setgroups")
	return err == nil && string(text) == "deny\n"
}

// MountFD implements syncpipe.Handler.
func (c *creation) MountFD(index int) (*os.File, error) {
	mounts, err := c.namespace("mnt")
	if err != nil {
		return nil, err
	}
	defer mounts.Close()
	ids, err := c.mapping(index)
	if err != nil {
		return nil, err
	}
	return rootfs.SourceFD(&c.plan.init.Root, index, mounts, ids)
}

// mapping returns the user namespace whose mapping an idmapped mount gets: that of the
// container, or one made for all mounts with these mappings. It is nil for a mount without
// mapping.
func (c *creation) mapping(index int) (*os.File, error) {
	m := c.plan.init.Root.Mounts[index].IDMap
	if m == nil {
		return nil, nil // no mapping is not an error
	}
	if c.idmaps == nil {
		c.idmaps = idmap.NewNamespaces(func(uids, gids []idmap.Mapping) (*os.File, error) {
			linux := c.bundle.Spec.Linux
			if idmap.Equal(uids, linux.UIDMappings) && idmap.Equal(gids, linux.GIDMappings) {
				return c.namespace("user")
			}
			return spawn.UserNamespace(func(pid int) error { return idmap.Write(pid, uids, gids) })
		})
	}
	if len(m.UID) == 0 {
		linux := c.bundle.Spec.Linux
		return c.idmaps.Get(linux.UIDMappings, linux.GIDMappings)
	}
	return c.idmaps.Get(m.UID, m.GID)
}
