package cgroups

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// stats2 reads the counters of a v2 cgroup (Documentation/admin-guide/cgroup-v2.rst), as far as its
// controllers are enabled.
func (m *meter) stats2(s *Stats) error {
	c, err := openCounters(m.Path(""), make([]byte, 8192))
	if err != nil {
		return err
	}
	defer c.close()
	for _, read := range [...]func(*Stats){c.pids2, c.memory2, c.io2, c.cpu2, c.hugetlb2, c.rdma, c.misc2} {
		read(s)
	}
	if m.record.Rootless { // what a user may not see isn't counted
		return nil
	}
	return c.err
}

// pids2 counts the processes where the controller doesn't.
func (c *counters) pids2(s *Stats) {
	if c.pids(s); s.Pids.Current > 0 {
		return
	}
	pids, err := pidsIn(c.dir)
	if err != nil {
		c.fail(err)
	}
	s.Pids.Current = uint64(len(pids))
}

func (c *counters) memory2(stats *Stats) {
	s := &stats.Memory
	s.Raw = make(map[string]uint64, 64)
	c.keyed("memory.stat", func(key string, n uint64) { s.Raw[key] = n })
	s.Cache = s.Raw["file"]
	s.Usage = MemoryEntry{Usage: c.number("memory.current"), Limit: c.number("memory.max"), Max: c.number("memory.peak")}
	// With memory, as in v1. The sum's peak is nowhere.
	s.Swap.Usage = c.number("memory.swap.current") + s.Usage.Usage
	s.Swap.Limit = math.MaxUint64
	if swap := c.number("memory.swap.max"); swap != math.MaxUint64 && s.Usage.Limit != math.MaxUint64 {
		s.Swap.Limit = swap + s.Usage.Limit
	}
	s.PSI = c.pressure("memory.pressure")
	s.Events = c.memoryEvents("memory.events")
}

func (c *counters) cpu2(stats *Stats) {
	s := &stats.CPU
	c.keyed("cpu.stat", func(key string, n uint64) {
		switch key {
		case "usage_usec":
			s.Usage.Total = n * 1000
		case "user_usec":
			s.Usage.User = n * 1000
		case "system_usec":
			s.Usage.Kernel = n * 1000
		case "nr_periods":
			s.Throttling.Periods = n
		case "nr_throttled":
			s.Throttling.ThrottledPeriods = n
		case "throttled_usec":
			s.Throttling.ThrottledTime = n * 1000
		case "nr_bursts":
			s.Burst.Periods = n
		case "burst_usec":
			s.Burst.Time = n * 1000
		}
	})
	s.PSI = c.pressure("cpu.pressure")
}

// io2 gives io.stat the form that v1 has: lines are "8:16 rbytes=1459200 wbytes=314773504 rios=192
// wios=353 dbytes=0 dios=0".
func (c *counters) io2(stats *Stats) {
	s := &stats.Blkio
	const name = "io.stat"
	text, _ := c.text(name)
	for line := range strings.Lines(text) {
		device, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		major, minor, ok := strings.Cut(device, ":")
		if !ok {
			continue // no device
		}
		e := BlkioEntry{Major: c.parse(name, major), Minor: c.parse(name, minor)}
		for word := range strings.FieldsSeq(rest) {
			key, value, _ := strings.Cut(word, "=")
			list := &s.IoServiceBytesRecursive
			switch key {
			case "rbytes":
				e.Op = "Read"
			case "wbytes":
				e.Op = "Write"
			case "rios":
				e.Op, list = "Read", &s.IoServicedRecursive
			case "wios":
				e.Op, list = "Write", &s.IoServicedRecursive
			default:
				continue
			}
			e.Value = c.parse(name, value)
			*list = append(*list, e)
		}
	}
	s.PSI = c.pressure("io.pressure")
}

// pressure reads lines of the form "some avg10=0.00 avg60=0.00 avg300=0.00 total=0"; nil if the
// kernel doesn't measure it.
func (c *counters) pressure(name string) *PSIStats {
	text, ok := c.text(name)
	if !ok {
		return nil
	}
	s := &PSIStats{}
	for line := range strings.Lines(text) {
		kind, rest, _ := strings.Cut(line, " ")
		data, err := parsePressure(rest)
		if err != nil {
			c.fail(fmt.Errorf("%w: %w", c.malformed(name, line), err))
		}
		switch kind {
		case "some":
			s.Some = data
		case "full":
			s.Full = data
		}
	}
	return s
}

func parsePressure(text string) (d PSIData, err error) {
	for word := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(word, "=")
		var err1 error
		switch key {
		case "avg10":
			d.Avg10, err1 = strconv.ParseFloat(value, 64)
		case "avg60":
			d.Avg60, err1 = strconv.ParseFloat(value, 64)
		case "avg300":
			d.Avg300, err1 = strconv.ParseFloat(value, 64)
		case "total":
			d.Total, err1 = strconv.ParseUint(value, 10, 64)
		}
		err = errors.Join(err, err1)
	}
	return d, err
}

// hugetlb2 reads what is reserved, as hugetlb1.
func (c *counters) hugetlb2(s *Stats) {
	for _, size := range hugePageSizes() {
		prefix := "hugetlb." + size + ".rsvd."
		usage, ok := c.text(prefix + "current")
		if !ok {
			return // the controller is not enabled
		}
		h := HugetlbStats{Usage: c.parse(prefix+"current", usage)}
		c.keyed("hugetlb."+size+".events", func(key string, n uint64) {
			if key == "max" {
				h.Failcnt = n
			}
		})
		s.Hugetlb[size] = h
	}
}

func (c *counters) misc2(s *Stats) {
	c.keyed("misc.current", func(key string, n uint64) {
		if s.Misc == nil {
			s.Misc = map[string]MiscStats{}
		}
		s.Misc[key] = MiscStats{Usage: n}
	})
	c.keyed("misc.events", func(key string, n uint64) {
		key = strings.TrimSuffix(key, ".max")
		if v, ok := s.Misc[key]; ok {
			v.Events = n
			s.Misc[key] = v
		}
	})
}
