// Package cgroups holds oci-run's cgroup files against those that opencontainers/cgroups writes and
// reads, the library of runc.
package cgroups

import (
	"maps"
	"os"
	"slices"
	"strings"

	lib "github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups"
)

// value gives what p points to, or the zero value, which the library takes for "not set".
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// convert gives the library's form of the limits, all but devices and unified.
func convert(r *specs.LinuxResources) *lib.Resources {
	out := &lib.Resources{}
	convertMemory(out, r.Memory)
	convertCPU(out, r.CPU)
	convertBlockIO(out, r.BlockIO)
	if r.Pids != nil {
		out.PidsLimit = r.Pids.Limit
	}
	for _, l := range r.HugepageLimits {
		out.HugetlbLimit = append(out.HugetlbLimit, &lib.HugepageLimit{Pagesize: l.Pagesize, Limit: l.Limit})
	}
	if r.Network != nil {
		out.NetClsClassid = value(r.Network.ClassID)
		for _, p := range r.Network.Priorities {
			out.NetPrioIfpriomap = append(out.NetPrioIfpriomap, &lib.IfPrioMap{Interface: p.Name, Priority: int64(p.Priority)})
		}
	}
	for device, l := range r.Rdma {
		if out.Rdma == nil {
			out.Rdma = make(map[string]lib.LinuxRdma, len(r.Rdma))
		}
		out.Rdma[device] = lib.LinuxRdma{HcaHandles: l.HcaHandles, HcaObjects: l.HcaObjects}
	}
	return out
}

func convertMemory(out *lib.Resources, m *specs.LinuxMemory) {
	if m == nil {
		return
	}
	out.Memory = value(m.Limit)
	out.MemoryReservation = value(m.Reservation)
	out.MemorySwap = value(m.Swap)
	out.MemorySwappiness = m.Swappiness
	out.OomKillDisable = value(m.DisableOOMKiller)
	out.MemoryCheckBeforeUpdate = value(m.CheckBeforeUpdate)
}

func convertCPU(out *lib.Resources, c *specs.LinuxCPU) {
	if c == nil {
		return
	}
	out.CpuShares = value(c.Shares)
	out.CpuWeight = lib.ConvertCPUSharesToCgroupV2Value(out.CpuShares)
	out.CpuQuota = max(value(c.Quota), -1) // the kernel's v1 takes any number below 0, and reads it back as -1
	out.CpuPeriod = value(c.Period)
	out.CpuBurst = c.Burst
	out.CPUIdle = c.Idle
	out.CpuRtRuntime = value(c.RealtimeRuntime)
	out.CpuRtPeriod = value(c.RealtimePeriod)
	out.CpusetCpus = c.Cpus
	out.CpusetMems = c.Mems
}

func convertBlockIO(out *lib.Resources, b *specs.LinuxBlockIO) {
	if b == nil {
		return
	}
	out.BlkioWeight = value(b.Weight)
	out.BlkioLeafWeight = value(b.LeafWeight)
	for _, d := range b.WeightDevice {
		out.BlkioWeightDevice = append(out.BlkioWeightDevice,
			lib.NewWeightDevice(d.Major, d.Minor, value(d.Weight), value(d.LeafWeight)))
	}
	out.BlkioThrottleReadBpsDevice = convertThrottle(b.ThrottleReadBpsDevice)
	out.BlkioThrottleWriteBpsDevice = convertThrottle(b.ThrottleWriteBpsDevice)
	out.BlkioThrottleReadIOPSDevice = convertThrottle(b.ThrottleReadIOPSDevice)
	out.BlkioThrottleWriteIOPSDevice = convertThrottle(b.ThrottleWriteIOPSDevice)
}

func convertThrottle(devices []specs.LinuxThrottleDevice) (out []*lib.ThrottleDevice) {
	for _, d := range devices {
		out = append(out, lib.NewThrottleDevice(d.Major, d.Minor, d.Rate))
	}
	return out
}

// librarySet has the library write r into the cgroups of a record.
func librarySet(record cgroups.Record, r *specs.LinuxResources) error {
	if record.Mode != cgroups.V2 {
		manager, err := fs.NewManager(&lib.Cgroup{Resources: &lib.Resources{}}, paths(record))
		if err != nil {
			return err
		}
		l := convert(r)
		if err := settleIdle(l, paths(record)["cpu"]); err != nil {
			return err
		}
		return manager.Set(l)
	}
	manager, err := fs2.NewManager(&lib.Cgroup{}, record.Hierarchies[0].Dir())
	if err != nil {
		return err
	}
	l := convert(r)
	if value(r.CPU).Idle != nil && *r.CPU.Idle == 1 {
		l.CpuWeight = 0 // which the kernel refuses for an idle cgroup; oci-run ignores it with a warning, as runc with systemd
	}
	if err := manager.Set(l); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(r.Unified)) { // whose order the library leaves to chance
		if err := manager.Set(&lib.Resources{Unified: map[string]string{key: r.Unified[key]}}); err != nil {
			return err
		}
	}
	return nil
}

// settleIdle does for v1 what the library leaves to its caller: an idle cgroup takes no shares.
// Shares alone end being idle.
func settleIdle(l *lib.Resources, dir string) error {
	text, err := os.ReadFile(dir + "/cpu.idle")
	if err != nil || strings.TrimSpace(string(text)) != "1" || l.CpuShares == 0 {
		return nil
	}
	if l.CPUIdle != nil && *l.CPUIdle == 1 {
		l.CpuShares = 0
		return nil
	}
	return os.WriteFile(dir+"/cpu.idle", []byte("0"), 0)
}

// paths gives the directory of each v1 controller.
func paths(record cgroups.Record) map[string]string {
	out := map[string]string{}
	for i := range record.Hierarchies {
		for _, c := range record.Hierarchies[i].Controllers {
			out[c] = record.Hierarchies[i].Dir()
		}
	}
	return out
}

// ownSet has oci-run do it.
func ownSet(record cgroups.Record, r *specs.LinuxResources) error {
	m, err := cgroups.Open(record)
	if err != nil {
		return err
	}
	return m.Set(r)
}
