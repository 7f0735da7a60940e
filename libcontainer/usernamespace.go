package libcontainer

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/files"
	"oci-run/libcontainer/internal/idmap"
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
