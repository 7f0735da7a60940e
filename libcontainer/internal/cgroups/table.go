package cgroups

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/specconv"
)

// entry is a line of [table]: a file of a cgroup, the field of linux.resources that is written to
// it, and how.
type entry struct {
	v2         bool
	controller string
	file       string
	field      string // the JSON pointer below /linux/resources; for a list, that of the list

	// One of these gives what to write: one value, "" if the field is not set; or a value for each
	// element of a list.
	value func(*limits) string
	each  func(*limits) []line

	where  string // only in cgroups that have this file
	unless string // only in cgroups that don't have this file
	reset  string // in a file with a line for each device, whose name comes first: what ends a limit

	// again names a file that the kernel checks against this one: a value that is refused as long
	// as that file has its old one gets a second chance after it was written.
	again string
	// optional tells whether it is not an error if the kernel has no such file.
	optional func(l *limits, w *write) bool
	// written looks at what the kernel made of a value that it took without a word.
	written func(path, value string) error
	// explain says what a refusal means here; "" if there is nothing to add to the errno.
	explain func(*refusal) string
}

// line is a value for an element of a list.
type line struct {
	file, value string // file: where each element has a file of its own
	at          string // the element's place in the list, and its field
}

// table has every file that is written for a field of linux.resources, those of v1 and then those
// of v2, in the order in which they are written. Device rules are not here (package devices), nor
// is unified, which names its files itself.
//
// Orders that matter: cpuset before anything that may wait for a CPU; v2's swap before its memory,
// as a smaller limit of memory may need the swap; v2's idle before a weight, which an idle cgroup
// refuses. Memory and memsw of v1 are ordered by [memoryOrder].
var table = [...]entry{
	{controller: "cpuset", file: "cpuset.cpus", field: "cpu/cpus", unless: "cpus", explain: explainCPUs,
		value: func(l *limits) string { return l.CPU.Cpus }},
	{controller: "cpuset", file: "cpus", field: "cpu/cpus", where: "cpus", explain: explainCPUs, // mounted with noprefix
		value: func(l *limits) string { return l.CPU.Cpus }},
	{controller: "cpuset", file: "cpuset.mems", field: "cpu/mems", unless: "mems", explain: explainMems,
		value: func(l *limits) string { return l.CPU.Mems }},
	{controller: "cpuset", file: "mems", field: "cpu/mems", where: "mems", explain: explainMems,
		value: func(l *limits) string { return l.CPU.Mems }},

	{controller: "memory", file: memory1, field: "memory/limit", explain: explainMemory1,
		value: func(l *limits) string { return number(value(l.Memory.Limit)) }},
	{controller: "memory", file: memsw1, field: "memory/swap", explain: explainSwap1, optional: swapImplied, value: swap1},
	{controller: "memory", file: "memory.soft_limit_in_bytes", field: "memory/reservation",
		value: func(l *limits) string { return number(value(l.Memory.Reservation)) }},
	{controller: "memory", file: "memory.oom_control", field: "memory/disableOOMKiller",
		value: func(l *limits) string { return map[bool]string{true: "1"}[value(l.Memory.DisableOOMKiller)] }},
	{controller: "memory", file: "memory.swappiness", field: "memory/swappiness", value: swappiness},

	{controller: "cpu", file: "cpu.shares", field: "cpu/shares", again: "cpu.idle", written: sharesTaken,
		value: func(l *limits) string { return number(value(l.CPU.Shares)) }},
	{controller: "cpu", file: "cpu.cfs_period_us", field: "cpu/period", again: "cpu.cfs_quota_us", explain: explainBandwidth,
		value: func(l *limits) string { return number(value(l.CPU.Period)) }},
	{controller: "cpu", file: "cpu.cfs_burst_us", field: "cpu/burst", again: "cpu.cfs_quota_us", explain: explainBurst,
		optional: always, // Linux 5.14
		value:    func(l *limits) string { return counted(l.CPU.Burst) }},
	{controller: "cpu", file: "cpu.cfs_quota_us", field: "cpu/quota", explain: explainBandwidth,
		value: func(l *limits) string { return number(max(value(l.CPU.Quota), -1)) }}, // any below 0 means unlimited
	{controller: "cpu", file: "cpu.idle", field: "cpu/idle", value: func(l *limits) string { return counted(l.CPU.Idle) }},
	{controller: "cpu", file: "cpu.rt_period_us", field: "cpu/realtimePeriod", again: "cpu.rt_runtime_us", explain: explainRealtime,
		value: func(l *limits) string { return number(value(l.CPU.RealtimePeriod)) }},
	{controller: "cpu", file: "cpu.rt_runtime_us", field: "cpu/realtimeRuntime", explain: explainRealtime,
		value: func(l *limits) string { return number(value(l.CPU.RealtimeRuntime)) }},

	{controller: "pids", file: "pids.max", field: "pids/limit", explain: explainPids, value: pids},

	{controller: "blkio", file: "blkio.weight", field: "blockIO/weight", where: "blkio.weight", value: weight}, // CFQ, until Linux 5.0
	{controller: "blkio", file: "blkio.bfq.weight", field: "blockIO/weight", unless: "blkio.weight", value: weight},
	{controller: "blkio", file: "blkio.leaf_weight", field: "blockIO/leafWeight",
		value: func(l *limits) string { return number(value(l.BlockIO.LeafWeight)) }},
	{controller: "blkio", file: "blkio.weight_device", field: "blockIO/weightDevice", where: "blkio.weight", reset: "0",
		each: func(l *limits) []line { return weights1(l, "blkio.weight_device") }},
	{controller: "blkio", file: "blkio.bfq.weight_device", field: "blockIO/weightDevice", unless: "blkio.weight", reset: "0",
		each: func(l *limits) []line { return weights1(l, "blkio.bfq.weight_device") }},
	{controller: "blkio", file: "blkio.throttle.read_bps_device", field: "blockIO/throttleReadBpsDevice", reset: "0", explain: explainDisk,
		each: func(l *limits) []line { return throttles(l.BlockIO.ThrottleReadBpsDevice, "") }},
	{controller: "blkio", file: "blkio.throttle.write_bps_device", field: "blockIO/throttleWriteBpsDevice", reset: "0", explain: explainDisk,
		each: func(l *limits) []line { return throttles(l.BlockIO.ThrottleWriteBpsDevice, "") }},
	{controller: "blkio", file: "blkio.throttle.read_iops_device", field: "blockIO/throttleReadIOPSDevice", reset: "0", explain: explainDisk,
		each: func(l *limits) []line { return throttles(l.BlockIO.ThrottleReadIOPSDevice, "") }},
	{controller: "blkio", file: "blkio.throttle.write_iops_device", field: "blockIO/throttleWriteIOPSDevice", reset: "0", explain: explainDisk,
		each: func(l *limits) []line { return throttles(l.BlockIO.ThrottleWriteIOPSDevice, "") }},

	{controller: "hugetlb", field: "hugepageLimits", explain: explainHugepages, optional: isReservation,
		each: func(l *limits) []line { return hugepages(l, "limit_in_bytes") }},

	{controller: "net_cls", file: "net_cls.classid", field: "network/classID",
		value: func(l *limits) string { return number(value(l.Network.ClassID)) }},
	{controller: "net_prio", file: "net_prio.ifpriomap", field: "network/priorities", reset: "0", each: priorities},

	{controller: "rdma", file: "rdma.max", field: "rdma", reset: noRDMALimit, each: rdma},

	{v2: true, controller: "pids", file: "pids.max", field: "pids/limit", explain: explainPids, value: pids},

	{v2: true, controller: "memory", file: "memory.swap.max", field: "memory/swap", optional: noSwapWanted, value: swap2},
	{v2: true, controller: "memory", file: "memory.max", field: "memory/limit",
		value: func(l *limits) string { return orMax(value(l.Memory.Limit)) }},
	{v2: true, controller: "memory", file: "memory.low", field: "memory/reservation",
		value: func(l *limits) string { return orMax(value(l.Memory.Reservation)) }},

	{v2: true, controller: "io", file: "io.bfq.weight", field: "blockIO/weight", where: "io.bfq.weight", value: weight},
	{v2: true, controller: "io", file: "io.weight", field: "blockIO/weight", unless: "io.bfq.weight",
		value: func(l *limits) string { return number(ioWeight(value(l.BlockIO.Weight))) }},
	{v2: true, controller: "io", file: "io.bfq.weight", field: "blockIO/weightDevice", where: "io.bfq.weight",
		reset: "default", each: weights2},
	{v2: true, controller: "io", file: "io.max", field: "blockIO/throttleReadBpsDevice", reset: noThrottle, explain: explainDisk,
		each: func(l *limits) []line { return throttles(l.BlockIO.ThrottleReadBpsDevice, "rbps=") }},
	{v2: true, controller: "io", file: "io.max", field: "blockIO/throttleWriteBpsDevice", reset: noThrottle, explain: explainDisk,
		each: func(l *limits) []line { return throttles(l.BlockIO.ThrottleWriteBpsDevice, "wbps=") }},
	{v2: true, controller: "io", file: "io.max", field: "blockIO/throttleReadIOPSDevice", reset: noThrottle, explain: explainDisk,
		each: func(l *limits) []line { return throttles(l.BlockIO.ThrottleReadIOPSDevice, "riops=") }},
	{v2: true, controller: "io", file: "io.max", field: "blockIO/throttleWriteIOPSDevice", reset: noThrottle, explain: explainDisk,
		each: func(l *limits) []line { return throttles(l.BlockIO.ThrottleWriteIOPSDevice, "wiops=") }},

	{v2: true, controller: "cpu", file: "cpu.idle", field: "cpu/idle", value: func(l *limits) string { return counted(l.CPU.Idle) }},
	{v2: true, controller: "cpu", file: "cpu.weight", field: "cpu/shares",
		value: func(l *limits) string { return number(cpuWeight(value(l.CPU.Shares))) }},
	{v2: true, controller: "cpu", file: "cpu.max.burst", field: "cpu/burst", again: "cpu.max", explain: explainBurst,
		value: func(l *limits) string { return counted(l.CPU.Burst) }},
	{v2: true, controller: "cpu", file: "cpu.max", field: "cpu/quota", explain: explainBandwidth,
		value: func(l *limits) string { return cpuMax(l.CPU) }},

	{v2: true, controller: "cpuset", file: "cpuset.cpus", field: "cpu/cpus", explain: explainCPUs,
		value: func(l *limits) string { return l.CPU.Cpus }},
	{v2: true, controller: "cpuset", file: "cpuset.mems", field: "cpu/mems", explain: explainMems,
		value: func(l *limits) string { return l.CPU.Mems }},

	{v2: true, controller: "hugetlb", field: "hugepageLimits", explain: explainHugepages, optional: isReservation,
		each: func(l *limits) []line { return hugepages(l, "max") }},

	{v2: true, controller: "rdma", file: "rdma.max", field: "rdma", reset: noRDMALimit, each: rdma},
}

const (
	memory1 = "memory.limit_in_bytes"
	memsw1  = "memory.memsw.limit_in_bytes"

	// What ends a limit of a device.
	noThrottle  = "rbps=max wbps=max riops=max wiops=max"
	noRDMALimit = "hca_handle=max hca_object=max"
)

func always(*limits, *write) bool { return true }

func pids(l *limits) string {
	if l.Pids.Limit == nil {
		return ""
	}
	return pidsMax(*l.Pids.Limit)
}

func weight(l *limits) string { return number(value(l.BlockIO.Weight)) }

// swappiness leaves out -1 in any width: Docker's word for "not set".
func swappiness(l *limits) string {
	if l.Memory.Swappiness == nil || int64(*l.Memory.Swappiness) == -1 {
		return ""
	}
	return counted(l.Memory.Swappiness)
}

// swap1 gives v1's limit of memory and swap together: unlimited memory is unlimited swap, if the
// kernel accounts it.
func swap1(l *limits) string {
	if swapImplied(l, nil) {
		return "-1"
	}
	return number(value(l.Memory.Swap))
}

func swapImplied(l *limits, _ *write) bool {
	return value(l.Memory.Limit) == -1 && value(l.Memory.Swap) == 0
}

func swap2(l *limits) string {
	swap, ok := swapOnly(l.Memory)
	switch {
	case !ok:
		return ""
	case swap == 0:
		return "0"
	}
	return orMax(swap)
}

// noSwapWanted: a kernel without swap has neither a limit of it nor any swap.
func noSwapWanted(_ *limits, w *write) bool { return w.value == "0" || w.value == "max" }

// weights1 gives the weights of devices; those of leaves have a file of their own.
func weights1(l *limits, file string) (out []line) {
	for i, d := range l.BlockIO.WeightDevice {
		at, name := "/"+strconv.Itoa(i), deviceName(d.Major, d.Minor)
		if w := value(d.Weight); w != 0 {
			out = append(out, line{file, name + " " + number(w), at + "/weight"})
		}
		if w := value(d.LeafWeight); w != 0 {
			out = append(out, line{"blkio.leaf_weight_device", name + " " + number(w), at + "/leafWeight"})
		}
	}
	return out
}

func weights2(l *limits) (out []line) {
	for i, d := range l.BlockIO.WeightDevice {
		out = append(out, line{"", deviceName(d.Major, d.Minor) + " " + strconv.Itoa(int(value(d.Weight))) + "\n", "/" + strconv.Itoa(i)})
	}
	return out
}

func throttles(list []specs.LinuxThrottleDevice, key string) (out []line) {
	for i, d := range list {
		rate := key + strconv.FormatUint(d.Rate, 10)
		out = append(out, line{"", deviceName(d.Major, d.Minor) + " " + rate, "/" + strconv.Itoa(i)})
	}
	return out
}

func deviceName(major, minor int64) string {
	return strconv.FormatInt(major, 10) + ":" + strconv.FormatInt(minor, 10)
}

// hugepages gives each page size its limit, of what is used and of what is reserved.
func hugepages(l *limits, suffix string) (out []line) {
	for i, h := range l.HugepageLimits {
		limit, at := strconv.FormatUint(h.Limit, 10), "/"+strconv.Itoa(i)
		out = append(out, line{"hugetlb." + h.Pagesize + "." + suffix, limit, at}, line{"hugetlb." + h.Pagesize + ".rsvd." + suffix, limit, at})
	}
	return out
}

// isReservation: limits of reserved huge pages came with Linux 5.7.
func isReservation(_ *limits, w *write) bool { return strings.Contains(w.file, ".rsvd.") }

func priorities(l *limits) (out []line) {
	for i, p := range l.Network.Priorities {
		out = append(out, line{"", p.Name + " " + strconv.FormatUint(uint64(p.Priority), 10), "/" + strconv.Itoa(i)})
	}
	return out
}

func rdma(l *limits) (out []line) {
	for _, device := range slices.Sorted(maps.Keys(l.Rdma)) {
		text, r := device, l.Rdma[device]
		if r.HcaHandles != nil {
			text += " hca_handle=" + strconv.FormatUint(uint64(*r.HcaHandles), 10)
		}
		if r.HcaObjects != nil {
			text += " hca_object=" + strconv.FormatUint(uint64(*r.HcaObjects), 10)
		}
		out = append(out, line{"", text, specconv.Pointer(device)})
	}
	return out
}
