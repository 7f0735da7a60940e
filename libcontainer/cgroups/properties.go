package cgroups

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	lib "github.com/opencontainers/cgroups"

	"oci-run/libcontainer/cgroups/systemd"
)

// infinity is systemd's "no limit".
const infinity = math.MaxUint64

// properties gives the unit properties for limits. systemd has to know them, or else it would put its own values into the files when
// it next looks at the unit. Limits without a property only go into the files. r's quota is rounded up to what a property
// can say, a percentage of a CPU, so that both agree.
func (m *Manager) properties(l *limits) ([]systemd.Property, error) {
	var out []systemd.Property
	add := func(name string, value any) { out = append(out, systemd.Property{Name: name, Value: value}) }
	r := &l.Resources
	if m.record.Mode == V2 {
		properties2(r, add)
	} else {
		properties1(r, add)
	}
	if r.CpuQuota != 0 || r.CpuPeriod != 0 {
		quota, perSecond, period := roundQuota(r.CpuQuota, r.CpuPeriod)
		r.CpuQuota = quota
		add("CPUQuotaPeriodUSec", period)
		add("CPUQuotaPerSecUSec", perSecond)
	}
	if r.PidsLimit != nil {
		if *r.PidsLimit == 0 {
			r.PidsLimit = new(int64(1)) // see tasksMax
		}
		add("TasksMax", tasksMax(*r.PidsLimit))
	}
	for _, set := range [...]struct{ name, list string }{{"AllowedCPUs", r.CpusetCpus}, {"AllowedMemoryNodes", r.CpusetMems}} {
		if set.list == "" {
			continue
		}
		bits, err := listBits(set.list)
		if err != nil {
			return nil, err
		}
		add(set.name, bits)
	}
	for i := range l.unified { // the last value of a property counts: unified overrides
		if err := unifiedProperty(&l.unified[i], add); err != nil {
			return nil, err
		}
	}
	m.endIdle(l, out, add)
	return out, nil
}

// endIdle tells systemd the weight that the kernel gives a cgroup that is no longer idle. systemd would make it idle again otherwise.
func (m *Manager) endIdle(l *limits, told []systemd.Property, add func(string, any)) {
	ends := l.CPUIdle != nil && *l.CPUIdle == 0
	for _, s := range l.unified {
		ends = ends || s.file == "cpu.idle" && strings.TrimSpace(s.value) == "0"
	}
	property, file := "CPUShares", "/cpu.shares"
	if m.record.Mode == V2 {
		property, file = "CPUWeight", "/cpu.weight"
	}
	if !ends || slices.ContainsFunc(told, func(p systemd.Property) bool { return p.Name == property }) {
		return
	}
	if text, err := readFile(m.Path("cpu") + file); err == nil {
		if weight, err := strconv.ParseUint(text, 10, 64); err == nil && weight > 0 {
			add(property, weight)
		}
	}
}

func properties1(r *lib.Resources, add func(string, any)) {
	if r.Memory != 0 {
		add("MemoryLimit", uint64(r.Memory))
	}
	if r.CpuShares != 0 {
		add("CPUShares", r.CpuShares)
	}
	if r.BlkioWeight != 0 {
		add("BlockIOWeight", uint64(r.BlkioWeight))
	}
}

func properties2(r *lib.Resources, add func(string, any)) {
	if r.Memory != 0 {
		add("MemoryMax", uint64(r.Memory)) // -1 is infinity
	}
	if r.MemoryReservation != 0 {
		add("MemoryLow", uint64(r.MemoryReservation))
	}
	swap, err := lib.ConvertMemorySwapToCgroupV2Value(r.MemorySwap, r.Memory)
	if err == nil && (swap != 0 || r.MemorySwap > 0) {
		add("MemorySwapMax", uint64(swap))
	}
	switch {
	case r.CPUIdle != nil && *r.CPUIdle == 1:
		add("CPUWeight", uint64(0)) // systemd's word for cpu.idle, since 252
	case r.CpuWeight != 0:
		add("CPUWeight", r.CpuWeight)
	}
	if r.BlkioWeight != 0 {
		add("IOWeight", lib.ConvertBlkIOToIOWeightValue(r.BlkioWeight))
	}
}

func tasksMax(limit int64) uint64 {
	switch {
	case limit < 0:
		return infinity
	case limit == 0:
		return 1 // systemd has no 0, and with one process or none nothing can fork either
	}
	return uint64(limit)
}

// roundQuota gives the CPU time per second that a quota stands for, rounded up to 1 %, and the quota for that.
func roundQuota(quota int64, period uint64) (rounded int64, perSecond, usedPeriod uint64) {
	if period == 0 {
		period = 100000 // the kernel's default
	}
	if quota <= 0 {
		return quota, infinity, period
	}
	perSecond = uint64(quota) * 1000000 / period
	if rest := perSecond % 10000; rest != 0 {
		perSecond += 10000 - rest
		quota = int64(perSecond * period / 1000000)
	}
	return quota, perSecond, period
}

// byteProperties are the files of v2 with a number of bytes or "max", and their properties.
var byteProperties = [...]struct{ file, property string }{
	{"memory.high", "MemoryHigh"}, {"memory.low", "MemoryLow"}, {"memory.max", "MemoryMax"}, {"memory.min", "MemoryMin"},
	{"memory.swap.max", "MemorySwapMax"}, {"memory.zswap.max", "MemoryZSwapMax"},
}

// unifiedProperty gives the property for an entry of linux.resources.unified, if there is one.
func unifiedProperty(s *setting, add func(string, any)) error {
	value := strings.TrimSpace(s.value)
	for _, b := range byteProperties {
		if b.file == s.file {
			return addNumber(s.file, b.property, value, add)
		}
	}
	switch s.file {
	case "pids.max":
		if value == "0" {
			s.value, value = "1", "1" // see tasksMax
		}
		return addNumber(s.file, "TasksMax", value, add)
	case "cpu.weight":
		return addNumber(s.file, "CPUWeight", value, add)
	case "cpu.idle":
		if value == "1" {
			add("CPUWeight", uint64(0))
		}
	case "cpuset.cpus", "cpuset.mems":
		bits, err := listBits(value)
		if err != nil {
			return fmt.Errorf("unified resource %q: %w", s.file, err)
		}
		add(map[bool]string{true: "AllowedCPUs", false: "AllowedMemoryNodes"}[s.file == "cpuset.cpus"], bits)
	case "cpu.max":
		return addQuota(s, add)
	}
	return nil
}

func addNumber(file, property, value string, add func(string, any)) error {
	if value == "max" {
		add(property, uint64(infinity))
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return fmt.Errorf("unified resource %q: %q is no number", file, value)
	}
	add(property, n)
	return nil
}

func addQuota(s *setting, add func(string, any)) error {
	words := strings.Fields(s.value)
	period := uint64(0)
	if len(words) == 2 {
		var err error
		if period, err = strconv.ParseUint(words[1], 10, 64); err != nil {
			return fmt.Errorf("unified resource \"cpu.max\": %q is no period", words[1])
		}
	}
	if len(words) == 0 || len(words) > 2 {
		return fmt.Errorf("unified resource \"cpu.max\": %q is neither QUOTA nor QUOTA PERIOD", s.value)
	}
	quota, perSecond, period := roundQuota(limitOf(words[0]), period)
	if quota > 0 {
		s.value = fmt.Sprintf("%d %d", quota, period)
	}
	add("CPUQuotaPeriodUSec", period)
	add("CPUQuotaPerSecUSec", perSecond)
	return nil
}

// listBits turns a list such as "0-2,7" into a bit per number, lowest first.
func listBits(list string) ([]byte, error) {
	var out []byte
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil || last < first {
			return nil, fmt.Errorf("%q in list %q is neither a number nor a range", part, list)
		}
		for n := first; n <= last; n++ {
			for int(n/8) >= len(out) {
				out = append(out, 0)
			}
			out[n/8] |= 1 << (n % 8)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("list %q is empty", list)
	}
	return out, nil
}
