package cgroups

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups/devices"
	"oci-run/libcontainer/internal/idmap"
	"oci-run/specconv"
)

// Configure gives the new cgroups of the container the device rules and every limit that init has
// room in, before it does any work: what it copies and starts is the container's already.
func (m *Manager) Configure() error {
	if m.plan == nil || m.record.Driver == DriverDisabled {
		return nil
	}
	if err := m.setDevices(&m.plan.devices); err != nil {
		return err
	}
	return m.write(m.plan.early)
}

// Settled tells whether Limit has nothing to do.
func (m *Manager) Settled() bool {
	return m.plan == nil || m.record.Driver == DriverDisabled || m.record.Driver == DriverCgroupfs && m.plan.late.empty()
}

// Limit gives the container the limits that init had no room in. It comes when init has done its
// work and waits: its threads may be more than pids.limit, and with a quota of 1 % of a CPU it
// would take a second.
func (m *Manager) Limit() error {
	if m.plan == nil || m.record.Driver == DriverDisabled {
		return nil
	}
	m.settleIdle(m.plan.late)
	if limit := value(m.plan.late.Memory.Limit); m.record.Mode == V2 && limit > 0 {
		if err := m.makeRoom(limit); err != nil {
			return err
		}
	}
	if m.record.Driver == DriverSystemd {
		if err := m.setUnit(m.plan.late); err != nil {
			return err
		}
	}
	if err := m.write(m.plan.late); err != nil {
		return err
	}
	if h := m.hierarchy("memory"); h != nil && m.record.Mode != V2 && m.joinsLate(h) && m.pid > 0 {
		return joinDir(h.Dir(), strconv.Itoa(m.pid))
	}
	return nil
}

// makeRoom has a v2 cgroup give memory back, down to a limit that is about to be set. The limit
// itself would have the kernel kill init if that is impossible; memory.high tries, and leaves it
// alive for an error that says more.
func (m *Manager) makeRoom(limit int64) error {
	dir := m.Path("")
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
		return fmt.Errorf("unable to set memory limit to %d (current usage: %s)", limit, used)
	}
	return writeFile(dir+"/memory.high", "max")
}

// write puts limits into force.
func (m *Manager) write(l *limits) error {
	if err := m.checkUsage(l.Memory); err != nil {
		return err
	}
	return m.put(l, m.writes(l))
}

// checkUsage is memory.checkBeforeUpdate. v1's kernel does by itself what v2 needs to be asked for:
// with a limit below what is in use, v2 kills. The words are runc's.
func (m *Manager) checkUsage(r *specs.LinuxMemory) error {
	limit, swap := value(r.Limit), value(r.Swap)
	if m.record.Mode != V2 || !value(r.CheckBeforeUpdate) || limit <= 0 && swap <= 0 {
		return nil
	}
	text, err := readFile(m.Path("") + "/memory.current")
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
// error.
func (m *Manager) setDevices(p *devices.Policy) error {
	var err error
	if m.record.Mode == V2 {
		if dir := m.Path(""); dir != "" {
			err = setDevices2(dir, p, slices.Contains(m.made, dir))
		}
	} else if h := m.hierarchy("devices"); h != nil {
		err = p.SetV1(h.Dir())
	} else if !m.record.Rootless && !idmap.InUserNamespace() {
		err = errors.New("the devices cgroup controller is not mounted: access to devices can't be restricted")
	}
	if err != nil && (denied(err) || errors.Is(err, devices.ErrTooMany)) && (m.record.Rootless || idmap.InUserNamespace()) {
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
