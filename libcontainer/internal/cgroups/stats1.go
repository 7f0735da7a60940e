package cgroups

import (
	"strconv"
	"strings"
)

// tick is the unit of cpuacct.stat in nanoseconds: USER_HZ is 100 on every architecture of Go's.
const tick = 1e9 / 100

// stats1 reads the counters of v1 controllers (Documentation/admin-guide/cgroup-v1).
func (m *meter) stats1(s *Stats) error {
	buf := make([]byte, 8192)
	for i := range m.record.Hierarchies {
		if err := m.record.Hierarchies[i].read1(s, buf); err != nil {
			return err
		}
	}
	return nil
}

// read1 reads the counters of a hierarchy's controllers. A cgroup that is gone has none.
func (h *Hierarchy) read1(s *Stats, buf []byte) (err error) {
	var c *counters
	for _, controller := range h.Controllers {
		read := reader1(controller)
		if read == nil {
			continue
		}
		if c == nil {
			if c, err = openCounters(h.Dir(), buf); err != nil {
				break
			}
			defer c.close()
		}
		if read(c, s); c.err != nil {
			err = c.err
			break
		}
	}
	if gone(err) {
		return nil
	}
	return err
}

// reader1 gives what reads the counters of a v1 controller; nil if it has none.
func reader1(controller string) func(*counters, *Stats) {
	switch controller {
	case "cpu":
		return (*counters).cpu1
	case "cpuacct":
		return (*counters).cpuacct1
	case "cpuset":
		return (*counters).cpuset1
	case "memory":
		return (*counters).memory1
	case "pids":
		return (*counters).pids
	case "blkio":
		return (*counters).blkio1
	case "hugetlb":
		return (*counters).hugetlb1
	case "rdma":
		return (*counters).rdma
	}
	return nil
}

func (c *counters) cpu1(stats *Stats) {
	s := &stats.CPU.Throttling
	c.keyed("cpu.stat", func(key string, n uint64) {
		switch key {
		case "nr_periods":
			s.Periods = n
		case "nr_throttled":
			s.ThrottledPeriods = n
		case "throttled_time":
			s.ThrottledTime = n
		}
	})
}

func (c *counters) cpuacct1(stats *Stats) {
	s := &stats.CPU.Usage
	c.keyed("cpuacct.stat", func(key string, n uint64) {
		switch key {
		case "user":
			s.User = n * tick
		case "system":
			s.Kernel = n * tick
		}
	})
	s.Total = c.number("cpuacct.usage")
	percpu, _ := c.text("cpuacct.usage_percpu")
	for word := range strings.FieldsSeq(percpu) {
		s.Percpu = append(s.Percpu, c.parse("cpuacct.usage_percpu", word))
	}
	const all = "cpuacct.usage_all" // "cpu user system", and a line for each
	text, _ := c.text(all)
	_, text, _ = strings.Cut(text, "\n")
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 {
			c.fail(c.malformed(all, line))
			return
		}
		s.PercpuUser = append(s.PercpuUser, c.parse(all, words[1]))
		s.PercpuKernel = append(s.PercpuKernel, c.parse(all, words[2]))
	}
}

func (c *counters) cpuset1(stats *Stats) {
	s := &stats.CPUSet
	prefix := "cpuset."
	cpus, ok := c.text(prefix + "cpus")
	if !ok {
		prefix = "" // mounted with the option noprefix
		cpus, _ = c.text("cpus")
	}
	s.CPUs = c.list(prefix+"cpus", cpus)
	mems, _ := c.text(prefix + "mems")
	s.Mems = c.list(prefix+"mems", mems)
	s.CPUExclusive = c.number(prefix + "cpu_exclusive")
	s.MemHardwall = c.number(prefix + "mem_hardwall")
	s.MemExclusive = c.number(prefix + "mem_exclusive")
	s.MemoryMigrate = c.number(prefix + "memory_migrate")
	s.MemorySpreadPage = c.number(prefix + "memory_spread_page")
	s.MemorySpreadSlab = c.number(prefix + "memory_spread_slab")
	s.MemoryPressure = c.number(prefix + "memory_pressure")
	s.SchedLoadBalance = c.number(prefix + "sched_load_balance")
	if level, ok := c.text(prefix + "sched_relax_domain_level"); ok { // -1: as the system
		s.SchedRelaxDomainLevel, _ = strconv.ParseInt(level, 10, 64)
	}
}

// list reads a list of ranges, such as "0-3,5".
func (c *counters) list(name, text string) (out []uint16) {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, ok := strings.Cut(part, "-")
		if !ok {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil {
			c.fail(c.malformed(name, text))
			return nil
		}
		for n := from; n <= to; n++ {
			out = append(out, uint16(n))
		}
	}
	return out
}

func (c *counters) memory1(stats *Stats) {
	s := &stats.Memory
	s.Raw = make(map[string]uint64, 64)
	c.keyed("memory.stat", func(key string, n uint64) { s.Raw[key] = n })
	s.Cache = s.Raw["cache"]
	s.Usage = c.memoryEntry("memory")
	s.Swap = c.memoryEntry("memory.memsw")
	s.Kernel = c.memoryEntry("memory.kmem")
	s.KernelTCP = c.memoryEntry("memory.kmem.tcp")
	s.Events = c.memoryEvents("memory.oom_control")
}

func (c *counters) memoryEntry(prefix string) (e MemoryEntry) {
	usage, ok := c.text(prefix + ".usage_in_bytes")
	if !ok {
		return e // the kernel was told not to count it
	}
	e.Usage = c.parse(prefix+".usage_in_bytes", usage)
	e.Max = c.number(prefix + ".max_usage_in_bytes")
	e.Failcnt = c.number(prefix + ".failcnt")
	e.Limit = c.number(prefix + ".limit_in_bytes")
	return e
}

// pids is the same in both versions. A limit of 0 stands for none.
func (c *counters) pids(s *Stats) {
	s.Pids.Current = c.number("pids.current")
	if limit, ok := c.text("pids.max"); ok && limit != "max" {
		s.Pids.Limit = c.parse("pids.max", limit)
	}
}

// blkio1 takes the counters of the scheduler bfq, with those that it has for debugging or without,
// or else those of throttling, which know less.
func (c *counters) blkio1(stats *Stats) {
	s := &stats.Blkio
	bfq := c.blkio("blkio.bfq.io_service_bytes_recursive")
	if bfq == nil {
		if s.IoServicedRecursive = c.blkio("blkio.throttle.io_serviced_recursive"); s.IoServicedRecursive != nil {
			s.IoServiceBytesRecursive = c.blkio("blkio.throttle.io_service_bytes_recursive")
			return
		}
		s.IoServicedRecursive = c.blkio("blkio.throttle.io_serviced")
		s.IoServiceBytesRecursive = c.blkio("blkio.throttle.io_service_bytes")
		return
	}
	s.IoServiceBytesRecursive = bfq
	s.IoServicedRecursive = c.blkio("blkio.bfq.io_serviced_recursive")
	if s.SectorsRecursive = c.blkio("blkio.bfq.sectors_recursive"); s.SectorsRecursive == nil {
		return
	}
	s.IoServiceTimeRecursive = c.blkio("blkio.bfq.io_service_time_recursive")
	s.IoWaitTimeRecursive = c.blkio("blkio.bfq.io_wait_time_recursive")
	s.IoMergedRecursive = c.blkio("blkio.bfq.io_merged_recursive")
	s.IoQueuedRecursive = c.blkio("blkio.bfq.io_queued_recursive")
	s.IoTimeRecursive = c.blkio("blkio.bfq.time_recursive")
}

// blkio reads lines of the form "8:0 Read 1282048", or "8:0 6792".
func (c *counters) blkio(name string) (out []BlkioEntry) {
	text, _ := c.text(name)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 2 && words[0] == "Total" {
			continue
		}
		if len(words) < 2 || len(words) > 3 {
			c.fail(c.malformed(name, line))
			return nil
		}
		major, minor, _ := strings.Cut(words[0], ":")
		e := BlkioEntry{Major: c.parse(name, major), Minor: c.parse(name, minor), Value: c.parse(name, words[len(words)-1])}
		if len(words) == 3 {
			e.Op = words[1]
		}
		out = append(out, e)
	}
	return out
}

// hugetlb1 reads what is reserved (since Linux 5.7), which is what the limits are for.
func (c *counters) hugetlb1(s *Stats) {
	for _, size := range hugePageSizes() {
		prefix := "hugetlb." + size + ".rsvd."
		s.Hugetlb[size] = HugetlbStats{
			Usage:   c.number(prefix + "usage_in_bytes"),
			Max:     c.number(prefix + "max_usage_in_bytes"),
			Failcnt: c.number(prefix + "failcnt"),
		}
	}
}
