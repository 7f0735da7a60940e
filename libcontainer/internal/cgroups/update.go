package cgroups

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/crash"
	"oci-run/libcontainer/internal/cgroups/devices"
	"oci-run/libcontainer/internal/cgroups/systemd"
	"oci-run/libcontainer/internal/idmap"
	"oci-run/specconv"
)

// update is a change of the limits of a container that exists. It lives as long as the change.
type update struct {
	applier
	scope *scope
	told  []systemd.Property // what systemd had been told before
}

// Set changes the limits of a container that exists: all that r mentions or, after an error, none.
// What r doesn't mention, or gives as 0, stays as it is, and so do the device rules unless r has
// some.
func (m *Manager) Set(r *specs.LinuxResources) error {
	if m.record.Driver == DriverDisabled || r == nil {
		return nil
	}
	if err := checkResources(r, m.record.Mode); err != nil {
		return err
	}
	var policy *devices.Policy // nil: the rules stay
	if len(r.Devices) > 0 {
		p, err := devices.NewPolicy(r.Devices, nil)
		if err != nil {
			return err
		}
		policy = &p
	}
	u := &update{applier: m.applier, scope: m.scope}
	l := newLimits(r)
	if err := u.complete(l); err != nil {
		return err
	}
	u.settleIdle(l)
	before := u.snapshot(l)
	err := u.change(l, policy)
	if err != nil {
		crash.Point("refused")
		if undo := errors.Join(u.restoreUnit(), before.restore()); undo != nil {
			return fmt.Errorf("%w; undoing the changes made before that failed too: %w", err, undo)
		}
	}
	return err
}

// change puts new limits and rules into force. systemd hears of limits that the kernel has
// accepted, and writes what it makes of them into the same files, so those are written again.
func (u *update) change(l *limits, policy *devices.Policy) error {
	if err := u.write(l); err != nil {
		return err
	}
	crash.Point("written")
	if u.record.Driver == DriverSystemd {
		if err := u.scope.setUnit(l, &u.told); err != nil {
			return err
		}
		if err := u.write(l); err != nil {
			return err
		}
	}
	if policy == nil {
		return nil
	}
	return u.updateDevices(policy)
}

// complete adds to a change what has to be told with it, from what is in force. Quota and period
// are one thing for v2 and for systemd, and v2's swap is a number of its own instead of the sum of
// memory and swap.
func (u *update) complete(l *limits) error {
	if u.record.Mode == V2 && u.Path("") == "" {
		return nil // writing will say so
	}
	for _, complete := range [...]func(*limits) error{u.completeQuota, u.completeUnifiedQuota, u.completeSwap} {
		if err := complete(l); err != nil {
			return err
		}
	}
	return nil
}

func (u *update) completeQuota(l *limits) error {
	c := l.CPU
	if (value(c.Quota) == 0) == (value(c.Period) == 0) || u.record.Mode != V2 && u.record.Driver != DriverSystemd {
		return nil // v1 has a file for each
	}
	quota, period, err := u.bandwidth()
	if err != nil {
		return err
	}
	if value(c.Quota) == 0 && quota != 0 {
		c.Quota = &quota
	}
	if value(c.Period) == 0 && period != 0 {
		c.Period = &period
	}
	return nil
}

// bandwidth reads the quota, -1 for none, and the period in force; both are 0 where the cgroup has
// neither.
func (u *update) bandwidth() (quota int64, period uint64, err error) {
	dir := u.Path("cpu")
	var q, p string
	if u.record.Mode == V2 {
		if q, err = readFile(dir + "/cpu.max"); err == nil {
			q, p, _ = strings.Cut(q, " ")
		}
	} else if q, err = readFile(dir + "/cpu.cfs_quota_us"); err == nil {
		p, err = readFile(dir + "/cpu.cfs_period_us")
	}
	if err != nil {
		if gone(err) { // writing it will say why
			err = nil
		}
		return 0, 0, err
	}
	period, err = strconv.ParseUint(p, 10, 64)
	if quota = limitOf(q); quota < 0 && err == nil && u.record.Driver == DriverSystemd {
		period, err = u.scope.toldPeriod(period)
	}
	return quota, period, err
}

// completeUnifiedQuota does the same for unified's "cpu.max": "20000". The kernel leaves the period
// as it is then, but systemd doesn't.
func (u *update) completeUnifiedQuota(l *limits) error {
	s := l.find("cpu.max")
	if s == nil || len(strings.Fields(s.value)) != 1 {
		return nil
	}
	_, period, err := u.bandwidth()
	if err == nil && period != 0 {
		s.value = strings.TrimSpace(s.value) + " " + strconv.FormatUint(period, 10)
	}
	return err
}

// completeSwap keeps v2's sum of memory and swap where only the limit of memory changes, and gives
// the sum its other part where only the sum does.
func (u *update) completeSwap(l *limits) error {
	limit, sum := value(l.Memory.Limit), value(l.Memory.Swap)
	if u.record.Mode != V2 || (limit == 0 || limit == -1 || sum != 0) && (limit != 0 || sum <= 0) {
		return nil
	}
	dir := u.Path("")
	text, err := readFile(dir + "/memory.max")
	if err != nil {
		if gone(err) {
			return checkSwap(&l.LinuxResources, V2)
		}
		return err
	}
	now := limitOf(text)
	if limit == 0 {
		l.Memory.Limit, limit = &now, now
		if now > sum {
			return specconv.Fieldf("/linux/resources/memory/swap", "memory+swap limit %d is lower than the memory limit %d", sum, now)
		}
		return nil
	}
	text, err = readFile(dir + "/memory.swap.max")
	swap := limitOf(text)
	if err != nil || now <= 0 || swap <= 0 {
		return nil
	}
	if sum = now + swap; limit > sum {
		return specconv.Fieldf("/linux/resources/memory/limit", "%s", beyondSwap(strconv.FormatInt(limit, 10), strconv.FormatInt(sum, 10)))
	}
	l.Memory.Swap = &sum
	return nil
}

// updateDevices changes the device rules of a container in use.
func (u *update) updateDevices(p *devices.Policy) error {
	told := u.record.Driver == DriverSystemd && !u.record.Rootless
	if h := u.hierarchy("devices"); h != nil && u.record.Mode != V2 {
		err := u.updateDevices1(h.Dir(), p, told)
		if err != nil && denied(err) && (u.record.Rootless || idmap.InUserNamespace()) {
			return nil
		}
		return err
	}
	if told {
		if err := u.scope.setUnit(newLimits(nil), &u.told, deviceProperties(p)...); err != nil {
			return err
		}
	}
	return u.setDevices(p, false)
}

// updateDevices1 is for v1. systemd hears of rules that the kernel has accepted, and writes what it
// makes of them into the same files.
func (u *update) updateDevices1(dir string, p *devices.Policy, told bool) error {
	before, err := devices.ReadV1(dir)
	if err == nil {
		err = p.UpdateV1(dir)
	}
	if err != nil || !told {
		return err
	}
	if err = u.scope.setUnit(newLimits(nil), &u.told, deviceProperties(p)...); err == nil {
		err = p.UpdateV1(dir)
	}
	if err != nil {
		err = errors.Join(err, before.UpdateV1(dir))
	}
	return err
}

// restoreUnit has systemd go back to what it had been told before a change.
func (u *update) restoreUnit() error {
	if len(u.told) == 0 {
		return nil
	}
	c, err := u.scope.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	var properties []systemd.Property
	for _, p := range u.told {
		if list, ok := p.Value.([][2]string); ok && len(list) > 0 {
			properties = append(properties, systemd.Property{Name: p.Name, Value: [][2]string{}}) // a list is added to
		}
		properties = append(properties, p)
	}
	u.told = nil
	return u.scope.heard(c.SetProperties(u.record.Unit, properties))
}
