package cgroups

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lib "github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"oci-run/internal/log"
	"oci-run/libcontainer/internal/cgroups"
)

// files1 and files2 are what a cgroup that was just made holds, of what is read while limits are
// set.
var files1 = map[string]string{
	"memory.limit_in_bytes": "9223372036854771712", "memory.memsw.limit_in_bytes": "9223372036854771712", "memory.soft_limit_in_bytes": "-1",
	"memory.oom_control": "oom_kill_disable 0", "memory.swappiness": "60",
	"cpu.shares": "1024", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "-1", "cpu.cfs_burst_us": "0", "cpu.idle": "0",
	"cpu.rt_period_us": "1000000", "cpu.rt_runtime_us": "0", "cpuset.cpus": "", "cpuset.mems": "", "pids.max": "max",
	"blkio.leaf_weight": "500", "blkio.leaf_weight_device": "",
	"blkio.bfq.weight": "100", "blkio.bfq.weight_device": "",
	"blkio.throttle.read_bps_device": "", "blkio.throttle.write_bps_device": "",
	"blkio.throttle.read_iops_device": "", "blkio.throttle.write_iops_device": "",
	"hugetlb.2MB.limit_in_bytes": "0", "hugetlb.2MB.rsvd.limit_in_bytes": "0", "hugetlb.1GB.limit_in_bytes": "0", "hugetlb.1GB.rsvd.limit_in_bytes": "0",
	"net_cls.classid": "0", "net_prio.ifpriomap": "lo 0", "rdma.max": "",
}

var files2 = map[string]string{
	"cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc", "cgroup.events": "populated 0",
	"memory.max": "max", "memory.swap.max": "max", "memory.low": "0", "memory.high": "max", "memory.current": "1000000",
	"cpu.max": "max 100000", "cpu.max.burst": "0", "cpu.weight": "100", "cpu.idle": "0", "cpuset.cpus": "", "cpuset.mems": "", "pids.max": "max",
	"io.weight": "default 100", "io.bfq.weight": "default 100", "io.max": "", "io.latency": "",
	"hugetlb.2MB.max": "max", "hugetlb.2MB.rsvd.max": "max", "hugetlb.1GB.max": "max", "hugetlb.1GB.rsvd.max": "max", "rdma.max": "", "misc.max": "",
}

// BFQ's file decides which others are written, and not every machine has it. (For v1's blkio.weight
// the library looks once in its life.)
const bfq2 = "io.bfq.weight"

// TestSameWrites: for random resources, both write the same values to the same files in the same
// order. The files are in a directory that stands for a cgroup, which takes any value, so that
// limits are compared that this machine has no controller for.
func TestSameWrites(t *testing.T) {
	quiet(t)
	lib.TestMode = true // files may be outside of /sys/fs/cgroup
	defer func() { lib.TestMode = false }()
	for _, mode := range []cgroups.Mode{cgroups.V1, cgroups.V2} {
		t.Run(string(mode), func(t *testing.T) {
			dir := t.TempDir()
			recorder := record(t, dir, map[cgroups.Mode]map[string]string{cgroups.V1: files1, cgroups.V2: files2}[mode])
			compared := 0
			rapid.Check(t, func(rt *rapid.T) {
				r := resources(rt, mode)
				hasBFQ := maybe(rt, "BFQ")
				rec := cgroups.Record{Driver: cgroups.DriverCgroupfs, Mode: mode, Hierarchies: []cgroups.Hierarchy{{Controllers: controllers1, Mount: dir, Path: "/"}}}
				if mode == cgroups.V2 {
					rec.Hierarchies[0].Controllers = nil
				}
				theirs, terr := recorder.writesOf(t, rec, r, hasBFQ, librarySet)
				ours, oerr := recorder.writesOf(t, rec, r, hasBFQ, ownSet)
				if (terr == nil) != (oerr == nil) {
					rt.Fatalf("library: %v; oci-run: %v", terr, oerr)
				}
				if terr == nil {
					compared++
					if d := cmp.Diff(sorted(theirs), sorted(ours)); d != "" {
						rt.Fatalf("(-library +oci-run)\n%s", d)
					}
				}
			})
			t.Logf("%d resources compared", compared)
		})
	}
}

var controllers1 = []string{"cpuset", "cpu", "cpuacct", "memory", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma", "devices", "freezer"}

// writesOf makes the files anew and tells what set writes.
func (r *recorder) writesOf(t *testing.T, record cgroups.Record, resources *specs.LinuxResources, hasBFQ bool, set func(cgroups.Record, *specs.LinuxResources) error) ([]string, error) {
	t.Helper()
	for name, f := range r.files {
		text := files1[name]
		if record.Mode == cgroups.V2 {
			text = files2[name]
		}
		if err := errors.Join(f.Truncate(int64(len(text))), second(f.WriteAt([]byte(text), 0))); err != nil {
			t.Fatal(err)
		}
	}
	from, to := r.dir+"/"+bfq2, r.dir+"/absent"
	if hasBFQ {
		from, to = to, from
	}
	_ = os.Rename(from, to)
	r.take(t)
	err := set(record, resources)
	return r.take(t), err
}

func second(_ int, err error) error { return err }

// sorted puts lines for RDMA devices in order, which the library leaves to chance.
func sorted(writes []string) []string {
	first := slices.IndexFunc(writes, func(w string) bool { return strings.HasPrefix(w, "rdma.max=") })
	if first >= 0 {
		last := first
		for last < len(writes) && strings.HasPrefix(writes[last], "rdma.max=") {
			last++
		}
		slices.Sort(writes[first:last])
	}
	return writes
}

// quiet keeps warnings about odd limits out of the output.
func quiet(t *testing.T) {
	before := log.SetHandler(log.Discard{})
	t.Cleanup(func() { log.SetHandler(before) })
}

// resources draws linux.resources that make sense for a mode: any of the fields, with values in and
// out of range.
func resources(rt *rapid.T, mode cgroups.Mode) *specs.LinuxResources {
	v2 := mode == cgroups.V2
	r := &specs.LinuxResources{}
	if maybe(rt, "memory") {
		r.Memory = memory(rt, v2)
	}
	if maybe(rt, "cpu") {
		r.CPU = cpu(rt, v2)
	}
	if maybe(rt, "pids") {
		r.Pids = &specs.LinuxPids{Limit: optional(rt, "pids.limit", rapid.OneOf(rapid.Int64Range(-2, 5), rapid.Int64Range(0, 5000000)))}
	}
	if maybe(rt, "blockIO") {
		r.BlockIO = blockIO(rt, v2)
	}
	r.HugepageLimits = rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) specs.LinuxHugepageLimit {
		return specs.LinuxHugepageLimit{
			Pagesize: rapid.SampledFrom([]string{"2MB", "1GB"}).Draw(rt, "size"), Limit: rapid.Uint64Range(0, 1<<40).Draw(rt, "limit"),
		}
	}), 0, 3).Draw(rt, "hugepageLimits")
	if !v2 && maybe(rt, "network") {
		r.Network = &specs.LinuxNetwork{ClassID: optional(rt, "classID", rapid.Uint32()), Priorities: rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) specs.LinuxInterfacePriority {
			return specs.LinuxInterfacePriority{Name: rapid.SampledFrom([]string{"lo", "eth0"}).Draw(rt, "name"), Priority: rapid.Uint32().Draw(rt, "priority")}
		}), 0, 3).Draw(rt, "priorities")}
	}
	r.Rdma = rapid.MapOfN(rapid.SampledFrom([]string{"mlx5_1", "ocrdma1"}), rapid.Custom(func(rt *rapid.T) specs.LinuxRdma {
		l := specs.LinuxRdma{HcaHandles: optional(rt, "handles", rapid.Uint32()), HcaObjects: optional(rt, "objects", rapid.Uint32())}
		if l.HcaHandles == nil && l.HcaObjects == nil { // oci-run refuses limits that say nothing
			l.HcaHandles = new(uint32)
		}
		return l
	}), 0, 2).Draw(rt, "rdma")
	if v2 {
		r.Unified = rapid.MapOfN(rapid.SampledFrom([]string{"memory.high", "memory.low", "io.latency", "cpu.weight", "pids.max"}),
			rapid.SampledFrom([]string{"max", "12345", "0", "8:0 rbps=1\n8:16 wbps=2\n", "a\nb"}), 0, 3).Draw(rt, "unified")
	}
	return r
}

func memory(rt *rapid.T, v2 bool) *specs.LinuxMemory {
	sizes := rapid.OneOf(rapid.Int64Range(-1, 1), rapid.Int64Range(0, 1<<40), rapid.Just(int64(1<<30)))
	m := &specs.LinuxMemory{
		Limit: optional(rt, "limit", sizes), Swap: optional(rt, "swap", sizes), Reservation: optional(rt, "reservation", sizes),
		CheckBeforeUpdate: optional(rt, "checkBeforeUpdate", rapid.Bool()),
	}
	if limit, swap := value(m.Limit), value(m.Swap); limit > 0 && swap > 0 && swap < limit || v2 && limit == 0 && swap > 0 {
		*m.Swap = limit // oci-run refuses the first, and completes the second from what is in force
	}
	if !v2 {
		m.Swappiness = optional(rt, "swappiness", rapid.OneOf(rapid.Uint64Range(0, 100), rapid.Just(^uint64(0))))
		m.DisableOOMKiller = optional(rt, "disableOOMKiller", rapid.Bool())
	}
	return m
}

func cpu(rt *rapid.T, v2 bool) *specs.LinuxCPU {
	c := &specs.LinuxCPU{
		Shares: optional(rt, "shares", rapid.OneOf(rapid.Uint64Range(0, 5), rapid.Uint64Range(0, 300000), rapid.Just(uint64(1024)))),
		Quota:  optional(rt, "quota", rapid.OneOf(rapid.Int64Range(-5, 1), rapid.Int64Range(0, 2000000))),
		Period: optional(rt, "period", rapid.OneOf(rapid.Uint64Range(0, 5), rapid.Uint64Range(0, 2000000))),
		Burst:  optional(rt, "burst", rapid.Uint64Range(0, 200000)),
		Idle:   optional(rt, "idle", rapid.Int64Range(0, 1)),
		Cpus:   rapid.SampledFrom([]string{"", "0", "0-1", "1", "0-1:1/2"}).Draw(rt, "cpus"),
		Mems:   rapid.SampledFrom([]string{"", "0"}).Draw(rt, "mems"),
	}
	if !v2 {
		c.RealtimePeriod = optional(rt, "realtimePeriod", rapid.Uint64Range(0, 1000000))
		c.RealtimeRuntime = optional(rt, "realtimeRuntime", rapid.Int64Range(-1, 950000))
	}
	return c
}

func blockIO(rt *rapid.T, v2 bool) *specs.LinuxBlockIO {
	weights := rapid.OneOf(rapid.Just(uint16(0)), rapid.Uint16Range(10, 1000))
	numbers := rapid.SampledFrom([]int64{0, 1, 8, 16, 253, 259})
	throttle := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) specs.LinuxThrottleDevice {
		var d specs.LinuxThrottleDevice
		d.Major, d.Minor, d.Rate = numbers.Draw(rt, "major"), numbers.Draw(rt, "minor"), rapid.Uint64().Draw(rt, "rate")
		return d
	}), 0, 3)
	b := &specs.LinuxBlockIO{
		ThrottleReadBpsDevice: throttle.Draw(rt, "readBps"), ThrottleWriteBpsDevice: throttle.Draw(rt, "writeBps"),
		ThrottleReadIOPSDevice: throttle.Draw(rt, "readIOPS"), ThrottleWriteIOPSDevice: throttle.Draw(rt, "writeIOPS"),
	}
	if v2 && maybe(rt, "weights of devices") { // not with a weight: in a directory, the library would take BFQ's file for an old kernel's
		b.WeightDevice = weightDevices(rt, numbers, weights, false)
		return b
	}
	b.Weight = optional(rt, "weight", weights)
	if !v2 {
		b.LeafWeight = optional(rt, "leafWeight", weights)
		b.WeightDevice = weightDevices(rt, numbers, weights, true)
	}
	return b
}

func weightDevices(rt *rapid.T, numbers *rapid.Generator[int64], weights *rapid.Generator[uint16], leaves bool) []specs.LinuxWeightDevice {
	return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) specs.LinuxWeightDevice {
		var d specs.LinuxWeightDevice
		d.Major, d.Minor, d.Weight = numbers.Draw(rt, "major"), numbers.Draw(rt, "minor"), optional(rt, "weight", weights)
		if leaves {
			d.LeafWeight = optional(rt, "leafWeight", weights)
		}
		if d.Weight == nil && d.LeafWeight == nil {
			d.Weight = new(uint16)
		}
		return d
	}), 0, 3).Draw(rt, "weightDevice")
}

func maybe(rt *rapid.T, what string) bool { return rapid.Bool().Draw(rt, what) }

// optional draws a value, or nil.
func optional[T any](rt *rapid.T, what string, of *rapid.Generator[T]) *T {
	if !maybe(rt, fmt.Sprintf("has %s", what)) {
		return nil
	}
	v := of.Draw(rt, what)
	return &v
}
