package cgroups

import (
	"math"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// cpuWeight is the cpu.weight of v2, 1 to 10000, for v1's shares, 2 to 262144. A straight line
// through both ends would make 39 of the default of 1024; this curve goes through (1024, 100), the
// defaults of both. runc and crun have the same since 2025.
func cpuWeight(shares uint64) uint64 {
	switch {
	case shares == 0: // not set
		return 0
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

// ioWeight is the io.weight of v2, 1 to 10000, for a weight of v1 and of BFQ, 10 to 1000.
func ioWeight(weight uint16) uint64 {
	if weight == 0 {
		return 0
	}
	return 1 + (uint64(weight)-10)*9999/990
}

// swapOnly is v2's limit of swap alone for a memory limit and one of memory and swap together. ok
// is false if there is nothing to set: no limit was given, or one of the sum alone, which
// [update.complete] has given its other half.
func swapOnly(m *specs.LinuxMemory) (swap int64, ok bool) {
	limit, sum := value(m.Limit), value(m.Swap)
	switch {
	case limit == -1 && sum == 0: // as on v1: unlimited memory is unlimited swap
		return -1, true
	case sum == -1, limit == -1 && sum != 0:
		return sum, true
	case sum == 0, limit == 0, sum < limit:
		return 0, false
	}
	return sum - limit, true
}

// pidsMax gives pids.max. systemd has no 0, and with one process or none nothing can fork either:
// both drivers agree on 1.
func pidsMax(limit int64) string {
	if limit < 0 {
		return "max"
	}
	return strconv.FormatInt(max(limit, 1), 10)
}

// cpuMax gives v2's cpu.max, which is quota and period. The period's default is the kernel's.
func cpuMax(c *specs.LinuxCPU) string {
	quota, period := value(c.Quota), value(c.Period)
	if quota == 0 && period == 0 {
		return ""
	}
	text := "max"
	if quota > 0 {
		text = strconv.FormatInt(quota, 10)
	}
	if period == 0 {
		period = 100000
	}
	return text + " " + strconv.FormatUint(period, 10)
}

// number writes a limit for which 0 means "not set".
func number[T int64 | uint64 | uint32 | uint16](n T) string {
	switch {
	case n == 0:
		return ""
	case n > 0:
		return strconv.FormatUint(uint64(n), 10)
	}
	return strconv.FormatInt(int64(n), 10)
}

// counted writes a limit for which 0 is a value.
func counted[T int64 | uint64](p *T) string {
	if p == nil {
		return ""
	}
	if *p == 0 {
		return "0"
	}
	return number(*p)
}

// orMax writes a number of bytes for v2, whose word for no limit is "max".
func orMax(n int64) string {
	if n == -1 {
		return "max"
	}
	return number(n)
}

// limitOf reads a number or "max", which is -1.
func limitOf(text string) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return -1
}
