package cgroups

import (
	"errors"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups/devices"
	"oci-run/libcontainer/internal/idmap"
	"oci-run/specconv"
)

// Configure gives the new cgroups of the container the device rules and every limit that init has
// room in, before it does any work: what it copies and starts is the container's already.
func (c *Creation) Configure() error {
	if c.record.Driver == DriverDisabled {
		return nil
	}
	if err := c.setDevices(&c.plan.devices, slices.Contains(c.made, c.Path(""))); err != nil {
		return err
	}
	return c.write(c.plan.early)
}

// Settled tells whether Limit has nothing to do.
func (c *Creation) Settled() bool {
	return c.record.Driver == DriverDisabled || c.record.Driver == DriverCgroupfs && c.plan.late.empty()
}

// Limit gives the container the limits that init had no room in. It comes when init has done its
// work and waits: its threads may be more than pids.limit, and with a quota of 1 % of a CPU it
// would take a second.
func (c *Creation) Limit() error {
	if c.record.Driver == DriverDisabled {
		return nil
	}
	c.settleIdle(c.plan.late)
	if limit := value(c.plan.late.Memory.Limit); c.record.Mode == V2 && limit > 0 {
		if err := c.makeRoom(limit); err != nil {
			return err
		}
	}
	if c.record.Driver == DriverSystemd {
		if err := c.setUnit(c.plan.late, nil); err != nil {
			return err
		}
	}
	if err := c.write(c.plan.late); err != nil {
		return err
	}
	if h := c.hierarchy("memory"); h != nil && c.record.Mode != V2 && c.joinsLate(h) && c.pid > 0 {
		return joinDir(h.Dir(), strconv.Itoa(c.pid))
	}
	return nil
}

// makeRoom has a v2 cgroup give memory back, down to a limit that is about to be set. The limit
// itself would have the kernel kill init if that is impossible; memory.high tries, and leaves it
// alive for an error that says more.
func (c *Creation) makeRoom(limit int64) error {
	dir := c.Path("")
	used, err := readFile(dir + "/memory.current")
	if err != nil || limitOf(used) <= limit {
		return nil // what can't be read can't be written either, which says why
	}
	if err := writeFile(dir+"/memory.high", strconv.FormatInt(limit, 10)); err != nil {
		return err
	}
	if used, err = readFile(dir + "/memory.current"); err != nil {
		return err
	}
	if limitOf(used) > limit {
		return specconv.Fieldf("/linux/resources/memory/limit", "unable to set memory limit to %d (current usage: %s)", limit, used)
	}
	return writeFile(dir+"/memory.high", "max")
}

// applier puts limits and device rules into force.
type applier struct{ *location }

// write puts limits into force.
func (a *applier) write(l *limits) error {
	if err := a.checkUsage(l.Memory); err != nil {
		return err
	}
	return a.put(l, a.writes(l))
}

// checkUsage is memory.checkBeforeUpdate. v1's kernel does by itself what v2 needs to be asked for:
// with a limit below what is in use, v2 kills. The words are runc's.
func (a *applier) checkUsage(r *specs.LinuxMemory) error {
	limit, swap := value(r.Limit), value(r.Swap)
	if a.record.Mode != V2 || !value(r.CheckBeforeUpdate) || limit <= 0 && swap <= 0 {
		return nil
	}
	text, err := readFile(a.Path("") + "/memory.current")
	if err != nil {
		return nil // without the controller, setting the limit fails and says so
	}
	switch used := limitOf(text); {
	case swap > 0 && swap <= used:
		return specconv.Fieldf("/linux/resources/memory/swap", "rejecting memory+swap limit %d <= usage %d", swap, used)
	case limit > 0 && limit <= used:
		return specconv.Fieldf("/linux/resources/memory/limit", "rejecting memory limit %d <= usage %d", limit, used)
	}
	return nil
}

// setDevices puts device rules into force. A caller without the right to set them, in a user
// namespace, has none to give away either: there, and for rootless callers, a refusal isn't an
// error. fresh says that the cgroup was made just now, and so has no rules yet.
func (a *applier) setDevices(p *devices.Policy, fresh bool) error {
	var err error
	if a.record.Mode == V2 {
		if dir := a.Path(""); dir != "" {
			err = setDevices2(dir, p, fresh)
		}
	} else if h := a.hierarchy("devices"); h != nil {
		err = p.SetV1(h.Dir())
	} else if !a.record.Rootless && !idmap.InUserNamespace() {
		err = errors.New("the devices cgroup controller is not mounted: access to devices can't be restricted")
	}
	if err != nil && (denied(err) || errors.Is(err, devices.ErrTooMany)) && (a.record.Rootless || idmap.InUserNamespace()) {
		return nil
	}
	return err
}

func setDevices2(dir string, p *devices.Policy, fresh bool) error {
	if fresh && p.AllowsAll() {
		return nil
	}
	return p.SetV2(dir, fresh)
}
