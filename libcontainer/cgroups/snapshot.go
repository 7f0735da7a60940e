package cgroups

import (
	"fmt"
	"strings"

	lib "github.com/opencontainers/cgroups"
)

// file is one that a change may write, in the form that snapshots need.
type file struct {
	controller string // v1; v2 has one directory for all
	name       string
	written    bool
	keys       []string
	reset      string
}

// snapshot reads the files that writing l will change. One that can't be read isn't there, or can't be restored: what
// can't be written later fails then.
func (m *Manager) snapshot(l *limits) snapshot {
	files := files1(&l.Resources)
	if m.record.Mode == V2 {
		files = files2(&l.Resources)
		for _, s := range l.unified {
			files = append(files, unifiedFile(s))
		}
	}
	var out snapshot
	for _, f := range files {
		dir := m.Path(f.controller)
		if !f.written || dir == "" {
			continue
		}
		path := dir + "/" + f.name
		if old, err := readFile(path); err == nil {
			if f.name == "memory.oom_control" {
				old = strings.TrimPrefix(strings.SplitN(old, "\n", 2)[0], "oom_kill_disable ")
			}
			out = append(out, saved{path, old, f.keys, f.reset})
		}
	}
	return out
}

// noLimit is, of v2's files with a line for each device or resource, what ends a limit there.
var noLimit = [...]struct{ file, reset string }{
	{"io.max", "rbps=max wbps=max riops=max wiops=max"},
	{"io.latency", "target=0"},
	{"io.weight", "default"},
	{"io.bfq.weight", "default"},
	{"misc.max", "max"},
	{"rdma.max", "hca_handle=max hca_object=max"},
}

// resetOf looks a file up in noLimit; it is empty for others.
func resetOf(file string) string {
	for _, f := range noLimit {
		if f.file == file {
			return f.reset
		}
	}
	return ""
}

// unifiedFile is the file that an entry of linux.resources.unified writes.
func unifiedFile(s setting) file {
	reset := resetOf(s.file)
	if reset == "" {
		return file{name: s.file, written: true}
	}
	var keys []string
	for line := range strings.SplitSeq(s.value, "\n") {
		switch words := strings.Fields(line); len(words) {
		case 0:
		case 1: // of a weight, the default
			keys = append(keys, "default")
		default:
			keys = append(keys, words[0])
		}
	}
	return byDevice("", s.file, reset, keys)
}

// files1 are the files of v1 controllers, as the library writes them.
func files1(r *lib.Resources) []file {
	memory := r.Memory != 0 || r.MemorySwap != 0
	out := []file{
		{"memory", "memory.limit_in_bytes", memory, nil, ""},
		{"memory", "memory.memsw.limit_in_bytes", memory, nil, ""},
		{"memory", "memory.soft_limit_in_bytes", r.MemoryReservation != 0, nil, ""},
		{"memory", "memory.swappiness", r.MemorySwappiness != nil, nil, ""},
		{"memory", "memory.oom_control", r.OomKillDisable, nil, ""},
		{"cpu", "cpu.shares", r.CpuShares != 0, nil, ""},
		{"cpu", "cpu.cfs_period_us", r.CpuPeriod != 0, nil, ""},
		{"cpu", "cpu.cfs_quota_us", r.CpuQuota != 0, nil, ""},
		{"cpu", "cpu.cfs_burst_us", r.CpuBurst != nil, nil, ""},
		{"cpu", "cpu.idle", r.CPUIdle != nil, nil, ""},
		{"cpu", "cpu.rt_period_us", r.CpuRtPeriod != 0, nil, ""},
		{"cpu", "cpu.rt_runtime_us", r.CpuRtRuntime != 0, nil, ""},
		{"cpuset", "cpuset.cpus", r.CpusetCpus != "", nil, ""},
		{"cpuset", "cpuset.mems", r.CpusetMems != "", nil, ""},
		{"pids", "pids.max", r.PidsLimit != nil, nil, ""},
		{"blkio", "blkio.weight", r.BlkioWeight != 0, nil, ""},
		{"blkio", "blkio.bfq.weight", r.BlkioWeight != 0, nil, ""},
		{"blkio", "blkio.leaf_weight", r.BlkioLeafWeight != 0, nil, ""},
		{"net_cls", "net_cls.classid", r.NetClsClassid != 0, nil, ""},
	}
	for _, name := range []string{"blkio.weight_device", "blkio.bfq.weight_device"} {
		out = append(out, byDevice("blkio", name, "0", weightKeys(r.BlkioWeightDevice)))
	}
	for _, t := range throttles(r) {
		out = append(out, byDevice("blkio", "blkio.throttle."+t.v1, "0", throttleKeys(t.list)))
	}
	for _, p := range r.NetPrioIfpriomap {
		out = append(out, byDevice("net_prio", "net_prio.ifpriomap", "0", []string{p.Interface}))
	}
	return append(out, moreFiles(r, ".limit_in_bytes")...)
}

// files2 are the files of v2.
func files2(r *lib.Resources) []file {
	memory := r.Memory != 0 || r.MemorySwap != 0
	out := []file{
		{"", "memory.max", memory, nil, ""},
		{"", "memory.swap.max", memory, nil, ""},
		{"", "memory.low", r.MemoryReservation != 0, nil, ""},
		{"", "cpu.weight", r.CpuWeight != 0, nil, ""},
		{"", "cpu.max", r.CpuQuota != 0 || r.CpuPeriod != 0, nil, ""},
		{"", "cpu.max.burst", r.CpuBurst != nil, nil, ""},
		{"", "cpu.idle", r.CPUIdle != nil, nil, ""},
		{"", "cpuset.cpus", r.CpusetCpus != "", nil, ""},
		{"", "cpuset.mems", r.CpusetMems != "", nil, ""},
		{"", "pids.max", r.PidsLimit != nil, nil, ""},
	}
	weights := weightKeys(r.BlkioWeightDevice)
	if r.BlkioWeight != 0 {
		weights = append(weights, "default")
	}
	out = append(out, byDevice("", "io.weight", resetOf("io.weight"), weights), byDevice("", "io.bfq.weight", resetOf("io.bfq.weight"), weights))
	var limited []string
	for _, t := range throttles(r) {
		limited = append(limited, throttleKeys(t.list)...)
	}
	out = append(out, byDevice("", "io.max", resetOf("io.max"), limited))
	return append(out, moreFiles(r, ".max")...)
}

// moreFiles are the huge page and RDMA limits, which both versions have.
func moreFiles(r *lib.Resources, suffix string) []file {
	var out []file
	for _, l := range r.HugetlbLimit {
		for _, kind := range []string{"", ".rsvd"} {
			out = append(out, file{"hugetlb", "hugetlb." + l.Pagesize + kind + suffix, true, nil, ""})
		}
	}
	var keys []string
	for device := range r.Rdma {
		keys = append(keys, device)
	}
	return append(out, byDevice("rdma", "rdma.max", resetOf("rdma.max"), keys))
}

func byDevice(controller, name, reset string, keys []string) file {
	return file{controller, name, len(keys) > 0, keys, reset}
}

func weightKeys(list []*lib.WeightDevice) (keys []string) {
	for _, d := range list {
		keys = append(keys, fmt.Sprintf("%d:%d", d.Major, d.Minor))
	}
	return keys
}

func throttleKeys(list []*lib.ThrottleDevice) (keys []string) {
	for _, d := range list {
		keys = append(keys, fmt.Sprintf("%d:%d", d.Major, d.Minor))
	}
	return keys
}

// throttled is a list of throttled devices and the end of its v1 file's name.
type throttled struct {
	v1   string
	list []*lib.ThrottleDevice
}

func throttles(r *lib.Resources) []throttled {
	return []throttled{
		{"read_bps_device", r.BlkioThrottleReadBpsDevice},
		{"write_bps_device", r.BlkioThrottleWriteBpsDevice},
		{"read_iops_device", r.BlkioThrottleReadIOPSDevice},
		{"write_iops_device", r.BlkioThrottleWriteIOPSDevice},
	}
}
