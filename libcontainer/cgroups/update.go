package cgroups

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	lib "github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/cgroups/devices"
	"oci-run/libcontainer/idmap"
)

// Set changes the limits of a container that exists: all that r mentions or, after an error, none. What r doesn't
// mention, or gives as 0, stays as it is, and so do the device rules unless r has some. For a container that is being
// made, Set is Configure and Limit in one, which init only survives if pids.limit has room for its threads.
func (m *Manager) Set(r *specs.LinuxResources) error {
	if m.record.Driver == DriverDisabled {
		return nil
	}
	if m.plan != nil {
		if err := m.Configure(); err != nil {
			return err
		}
		return m.Limit()
	}
	if r == nil {
		return nil
	}
	if err := Check(r, m.record.Mode); err != nil {
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
	l := &limits{Resources: convert(r), unified: sortedUnified(r.Unified)}
	if err := m.complete(&l.Resources); err != nil {
		return err
	}
	m.settleIdle(l)
	before := m.snapshot(l)
	err := m.change(l, policy)
	if err != nil {
		crashPoint("refused")
		if undo := errors.Join(m.restoreUnit(), before.restore()); undo != nil {
			return fmt.Errorf("%w; and taking back what was changed before that failed: %w", err, undo)
		}
	}
	return err
}

// change puts new limits and rules into force. systemd hears of limits that the kernel has accepted, and writes what it makes of
// them into the same files, so those are written again.
func (m *Manager) change(l *limits, policy *devices.Policy) error {
	if m.record.Mode != V2 && l.CpuShares != 0 && l.CPUIdle != nil && *l.CPUIdle == 0 && m.idle() {
		// The library gives v1 the shares first.
		if err := writeFile(m.Path("cpu")+"/cpu.idle", "0"); err != nil {
			return err
		}
	}
	if err := m.write(l); err != nil {
		return err
	}
	crashPoint("written")
	if m.record.Driver == DriverSystemd {
		if err := m.setUnit(l); err != nil {
			return err
		}
		if err := m.write(l); err != nil {
			return err
		}
	}
	if policy == nil {
		return nil
	}
	return m.updateDevices(policy)
}

// complete adds to a change what v2 needs to be told with it, from what is in force: quota and period are one file there, and
// swap is a number of its own instead of the sum of memory and swap.
func (m *Manager) complete(r *lib.Resources) error {
	dir := m.Path("")
	if m.record.Mode != V2 || dir == "" {
		return nil
	}
	if (r.CpuQuota == 0) != (r.CpuPeriod == 0) {
		if err := completeQuota(r, dir); err != nil {
			return err
		}
	}
	if (r.Memory != 0 && r.Memory != -1 && r.MemorySwap == 0) || (r.Memory == 0 && r.MemorySwap > 0) {
		return completeSwap(r, dir)
	}
	return nil
}

func completeQuota(r *lib.Resources, dir string) error {
	text, err := readFile(dir + "/cpu.max")
	if err != nil {
		if gone(err) { // writing it will say why
			return nil
		}
		return err
	}
	quota, period, _ := strings.Cut(text, " ")
	if r.CpuQuota == 0 {
		r.CpuQuota = limitOf(quota)
	}
	if r.CpuPeriod == 0 {
		r.CpuPeriod, _ = strconv.ParseUint(period, 10, 64)
	}
	return nil
}

// completeSwap keeps the sum of memory and swap where only the limit of memory changes, and gives the sum its other part
// where only the sum does.
func completeSwap(r *lib.Resources, dir string) error {
	text, err := readFile(dir + "/memory.max")
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	memory := limitOf(text)
	if r.Memory == 0 {
		r.Memory = memory
		return nil
	}
	text, err = readFile(dir + "/memory.swap.max")
	if swap := limitOf(text); err == nil && memory > 0 && swap > 0 {
		r.MemorySwap = memory + swap
	}
	return nil
}

// limitOf reads a number or "max", which is -1.
func limitOf(text string) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return -1
}

// updateDevices changes the device rules of a container in use.
func (m *Manager) updateDevices(p *devices.Policy) error {
	told := m.record.Driver == DriverSystemd && !m.record.Rootless
	if h := m.hierarchy("devices"); h != nil && m.record.Mode != V2 {
		err := m.updateDevices1(h.Dir(), p, told)
		if err != nil && denied(err) && (m.record.Rootless || idmap.InUserNamespace()) {
			return nil
		}
		return err
	}
	if told {
		if err := m.setUnit(&limits{}, deviceProperties(p)...); err != nil {
			return err
		}
	}
	return m.setDevices(p)
}

// updateDevices1 is for v1. systemd hears of rules that the kernel has accepted, and writes what it makes of them into the same
// files.
func (m *Manager) updateDevices1(dir string, p *devices.Policy, told bool) error {
	before, err := devices.ReadV1(dir)
	if err == nil {
		err = p.UpdateV1(dir)
	}
	if err != nil || !told {
		return err
	}
	if err = m.setUnit(&limits{}, deviceProperties(p)...); err == nil {
		err = p.UpdateV1(dir)
	}
	if err != nil {
		err = errors.Join(err, before.UpdateV1(dir))
	}
	return err
}

// snapshot is what files held before a change.
type snapshot []saved

// saved is a file's content. Files with a line for each device are restored by the lines of those devices that the change
// mentions; keys has their names, and reset what ends a limit that there was none of before.
type saved struct {
	path, old string
	keys      []string
	reset     string
}

// restore gives files their content back. Some depend on others (memory and swap, quota and period), so a value that
// is refused gets another chance after the others.
func (s snapshot) restore() error {
	var errs []error
	for range 3 {
		errs = nil
		for i := range s {
			if err := s[i].restore(); err != nil {
				errs = append(errs, err)
			}
		}
		if errs == nil {
			return nil
		}
	}
	return errors.Join(errs...)
}

func (f *saved) restore() error {
	now, err := readFile(f.path)
	if err != nil || now == f.old {
		return err
	}
	if f.keys == nil {
		for line := range strings.SplitSeq(f.old, "\n") {
			if line == "" {
				line = "\n" // an empty list; a write of nothing might not reach the file
			}
			if err := writeFile(f.path, line); err != nil {
				return err
			}
		}
		return nil
	}
	for _, key := range f.keys {
		line := key + " " + f.reset
		for old := range strings.SplitSeq(f.old, "\n") {
			if strings.HasPrefix(old, key+" ") {
				line = old
			}
		}
		if err := writeFile(f.path, line); err != nil {
			return err
		}
	}
	return nil
}
