package cgroups

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/log"
	"oci-run/libcontainer/internal/cgroups/systemd"
)

// Creation is the Manager of a container that is being made. What it adds lives until the
// container is made; a later command has the record alone.
//
// The caller does, in this order: [Creation.Record], to have it on disk; [maker.Create];
// [Creation.Birth], or [Creation.Join] for a process that isn't born there;
// [Creation.Configure]; and [Creation.Limit] when init is ready.
type Creation struct {
	maker
	born      bool               // Birth has given the process all that it needs
	pid       int                // the process that joined
	annotated []systemd.Property // properties of the unit that annotations ask for
}

// New checks the resources of spec and plans the container's cgroups. It changes nothing. The error
// is a *specconv.FieldError if a field of spec is to blame.
func New(spec *specs.Spec, o Options) (*Creation, error) {
	if o.Driver == "" {
		o.Driver = DriverCgroupfs
	}
	linux := spec.Linux
	if linux == nil {
		linux = &specs.Linux{}
	}
	mode := CurrentMode()
	if err := checkResources(linux.Resources, mode); err != nil {
		return nil, err
	}
	if err := checkSwap(linux.Resources, mode); err != nil {
		return nil, err
	}
	p, err := newPlan(spec)
	if err != nil {
		return nil, err
	}
	c := &Creation{maker: maker{
		Manager: managerOf(Record{Driver: o.Driver, Mode: mode, Rootless: o.Rootless}),
		plan:    p, optional: o.Rootless && linux.CgroupsPath == "", chosen: linux.CgroupsPath != "", owner: ownerOf(spec, mode),
	}}
	switch o.Driver {
	case DriverCgroupfs:
		c.record.Hierarchies, err = planPaths(c.record.Mode, linux.CgroupsPath, o.ID)
		if err != nil && c.optional {
			log.Debug("no cgroups: " + err.Error())
			err = nil
		}
	case DriverDisabled:
		if p.limits() {
			log.Warn("the cgroup manager is disabled: the container's limits are not applied")
		}
	case DriverSystemd:
		err = c.planUnit(spec, o)
	default:
		err = fmt.Errorf("cgroup manager %q is unknown (known: %s, %s, %s)", o.Driver,
			DriverCgroupfs, DriverSystemd, DriverDisabled)
	}
	if err == nil {
		err = c.checkFree()
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}
