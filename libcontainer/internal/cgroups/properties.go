package cgroups

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups/systemd"
	"oci-run/specconv"
)

// infinity is systemd's "no limit".
const infinity = math.MaxUint64

// properties gives the unit properties for limits. systemd has to know them, or else it would put
// its own values into the files when it next looks at the unit. Limits without a property only go
// into the files. r's quota is rounded up to what a property can say, a percentage of a CPU, so
// that both agree.
func (s *scope) properties(l *limits) ([]systemd.Property, error) {
	var out []systemd.Property
	add := func(name string, value any) { out = append(out, systemd.Property{Name: name, Value: value}) }
	if s.record.Mode == V2 {
		properties2(&l.LinuxResources, add)
	} else {
		properties1(&l.LinuxResources, add)
	}
	if c := l.CPU; value(c.Quota) != 0 || value(c.Period) != 0 {
		quota, perSecond, period := roundQuota(value(c.Quota), value(c.Period))
		c.Quota = &quota
		add("CPUQuotaPeriodUSec", period)
		add("CPUQuotaPerSecUSec", perSecond)
	}
	if limit := l.Pids.Limit; limit != nil {
		if *limit == 0 {
			l.Pids.Limit = new(int64(1)) // see tasksMax
		}
		add("TasksMax", tasksMax(*limit))
	}
	for _, set := range [...]struct{ name, list, possible, field string }{
		{"AllowedCPUs", l.CPU.Cpus, possibleCPUs, "cpus"}, {"AllowedMemoryNodes", l.CPU.Mems, possibleNodes, "mems"},
	} {
		if set.list == "" {
			continue
		}
		bits, err := expand(set.list, set.possible)
		if err != nil {
			return nil, specconv.Field("/linux/resources/cpu/"+set.field, err)
		}
		add(set.name, []byte(bits))
	}
	for i := range l.unified { // the last value of a property counts: unified overrides
		if err := unifiedProperty(&l.unified[i], add); err != nil {
			return nil, err
		}
	}
	s.endIdle(l, out, add)
	return out, nil
}

// endIdle tells systemd the weight that the kernel gives a cgroup that is no longer idle. systemd
// would make it idle again otherwise.
func (s *scope) endIdle(l *limits, told []systemd.Property, add func(string, any)) {
	ends := l.CPU.Idle != nil && *l.CPU.Idle == 0
	for _, s := range l.unified {
		ends = ends || s.file == "cpu.idle" && strings.TrimSpace(s.value) == "0"
	}
	property, file := "CPUShares", "/cpu.shares"
	if s.record.Mode == V2 {
		property, file = "CPUWeight", "/cpu.weight"
	}
	if !ends || slices.ContainsFunc(told, func(p systemd.Property) bool { return p.Name == property }) {
		return
	}
	if text, err := readFile(s.Path("cpu") + file); err == nil {
		if weight, err := strconv.ParseUint(text, 10, 64); err == nil && weight > 0 {
			add(property, weight)
		}
	}
}

func properties1(r *specs.LinuxResources, add func(string, any)) {
	if limit := value(r.Memory.Limit); limit != 0 {
		add("MemoryLimit", uint64(limit))
	}
	if shares := value(r.CPU.Shares); shares != 0 {
		add("CPUShares", shares)
	}
	if weight := value(r.BlockIO.Weight); weight != 0 {
		add("BlockIOWeight", uint64(weight))
	}
}

func properties2(r *specs.LinuxResources, add func(string, any)) {
	if limit := value(r.Memory.Limit); limit != 0 {
		add("MemoryMax", uint64(limit)) // -1 is infinity
	}
	if reservation := value(r.Memory.Reservation); reservation != 0 {
		add("MemoryLow", uint64(reservation))
	}
	if swap, ok := swapOnly(r.Memory); ok {
		add("MemorySwapMax", uint64(swap))
	}
	switch shares := value(r.CPU.Shares); {
	case value(r.CPU.Idle) == 1:
		add("CPUWeight", uint64(0)) // systemd's word for cpu.idle, since 252
	case shares != 0:
		add("CPUWeight", cpuWeight(shares))
	}
	if weight := value(r.BlockIO.Weight); weight != 0 {
		add("IOWeight", ioWeight(weight))
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

// roundQuota gives the CPU time per second that a quota stands for, rounded up to 1 %, and the
// quota for that.
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
		possible := map[bool]string{true: possibleCPUs, false: possibleNodes}[s.file == "cpuset.cpus"]
		bits, err := expand(value, possible)
		if err != nil {
			return fmt.Errorf("unified resource %q: %w", s.file, err)
		}
		add(map[bool]string{true: "AllowedCPUs", false: "AllowedMemoryNodes"}[s.file == "cpuset.cpus"], []byte(bits))
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
		return fmt.Errorf("unified resource %q: %q is not a number", file, value)
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
			return fmt.Errorf("unified resource \"cpu.max\": %q is not a period", words[1])
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
