package cgroups

import (
	lib "github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// value gives what p points to, or the zero value, which the library and the engines take for "not set".
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// convert gives the library's form of the limits, all but devices and unified.
func convert(r *specs.LinuxResources) lib.Resources {
	var out lib.Resources
	convertMemory(&out, r.Memory)
	convertCPU(&out, r.CPU)
	convertBlockIO(&out, r.BlockIO)
	if r.Pids != nil {
		out.PidsLimit = r.Pids.Limit
	}
	for _, l := range r.HugepageLimits {
		out.HugetlbLimit = append(out.HugetlbLimit, &lib.HugepageLimit{Pagesize: l.Pagesize, Limit: l.Limit})
	}
	if r.Network != nil {
		out.NetClsClassid = value(r.Network.ClassID)
		for _, p := range r.Network.Priorities {
			out.NetPrioIfpriomap = append(out.NetPrioIfpriomap,
				&lib.IfPrioMap{Interface: p.Name, Priority: int64(p.Priority)})
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
	out.CpuQuota = max(value(c.Quota), -1) // any below 0 means no limit, as in the kernel's v1
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

func convertThrottle(devices []specs.LinuxThrottleDevice) []*lib.ThrottleDevice {
	var out []*lib.ThrottleDevice
	for _, d := range devices {
		out = append(out, lib.NewThrottleDevice(d.Major, d.Minor, d.Rate))
	}
	return out
}
