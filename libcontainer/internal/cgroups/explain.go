package cgroups

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a refusal of the kernel means, by file. Each function says what is the matter with the
// value, and what this machine or the cgroup above has; it returns "" if it finds nothing wrong.

// Ranges that the kernel doesn't tell.
const (
	leastPeriod = 1000    // µs: min_cfs_quota_period, kernel/sched/core.c
	mostPeriod  = 1000000 // µs: max_cfs_quota_period
	leastQuota  = 1000    // µs: min_cfs_quota_period too
)

// mostPids is PID_MAX_LIMIT of linux/threads.h.
const mostPids = 32768 << (7 * (strconv.IntSize / 64))

func explainPids(r *refusal) string {
	if n := limitOf(r.value); r.is(unix.EINVAL) && n > mostPids {
		return fmt.Sprintf("%d is more than %d, the most that Linux can have (-1 means unlimited)", n, mostPids)
	}
	return ""
}

// explainBandwidth is for quota and period of both versions. The value of cpu.max is both of them.
func explainBandwidth(r *refusal) string {
	if !r.is(unix.EINVAL, unix.ERANGE) {
		return ""
	}
	quota, period := bandwidth(r)
	switch {
	case period > 0 && (period < leastPeriod || period > mostPeriod) && r.file != "cpu.cfs_quota_us":
		r.blame("cpu/period")
		return fmt.Sprintf("%d is not in the range %d to %d µs", period, leastPeriod, mostPeriod)
	case quota >= 0 && quota < leastQuota && r.file != "cpu.cfs_period_us":
		r.blame("cpu/quota")
		return fmt.Sprintf("%d is less than %d µs, the least that Linux accepts (-1 means unlimited)", quota, leastQuota)
	}
	if burst := limitOf(r.read(map[bool]string{true: "cpu.max.burst", false: "cpu.cfs_burst_us"}[r.e.v2])); quota > 0 && burst > quota {
		return fmt.Sprintf("%d µs is less than the burst of %d µs", quota, burst)
	}
	if !r.e.v2 {
		return aboveBandwidth(r, quota, period)
	}
	return ""
}

// blame names another field than the one that the table has for the file.
func (r *refusal) blame(field string) {
	if r.e != &unifiedEntry {
		r.at = "/linux/resources/" + field
	}
}

// bandwidth gives quota and period as they would be, with what the cgroup has of what isn't being
// set; -1 is none.
func bandwidth(r *refusal) (quota, period int64) {
	switch r.file {
	case "cpu.cfs_quota_us":
		return limitOf(r.value), limitOf(r.read("cpu.cfs_period_us"))
	case "cpu.cfs_period_us":
		return limitOf(r.read("cpu.cfs_quota_us")), limitOf(r.value)
	}
	q, p, _ := strings.Cut(r.value, " ")
	return limitOf(q), limitOf(p)
}

// aboveBandwidth: on v1, no cgroup may have a greater share of CPU time than the one above it.
func aboveBandwidth(r *refusal, quota, period int64) string {
	aboveQuota, abovePeriod := limitOf(r.read("../cpu.cfs_quota_us")), limitOf(r.read("../cpu.cfs_period_us"))
	if aboveQuota <= 0 || abovePeriod <= 0 || quota >= 0 && float64(quota)/float64(period) <= float64(aboveQuota)/float64(abovePeriod) {
		return ""
	}
	wanted := "no limit"
	if quota >= 0 {
		wanted = fmt.Sprintf("%d of every %d µs", quota, period)
	}
	return fmt.Sprintf("%s is more than the cgroup above has, %d of every %d µs", wanted, aboveQuota, abovePeriod)
}

func explainBurst(r *refusal) string {
	quota := r.read("cpu.cfs_quota_us")
	if r.e.v2 {
		quota, _, _ = strings.Cut(r.read("cpu.max"), " ")
	}
	switch q := limitOf(quota); {
	case !r.is(unix.EINVAL):
		return ""
	case q < 0:
		return "a burst needs a quota"
	case limitOf(r.value) > q:
		return fmt.Sprintf("a burst of %s µs is more than the quota of %d µs", r.value, q)
	}
	return ""
}

func explainRealtime(r *refusal) string {
	if !r.is(unix.EINVAL) {
		return ""
	}
	runtime, period := limitOf(r.read("../cpu.rt_runtime_us")), limitOf(r.read("../cpu.rt_period_us"))
	if r.file == "cpu.rt_period_us" && runtime != 0 {
		return ""
	}
	return fmt.Sprintf("the cgroup above has %d of every %d µs of real-time CPU time", runtime, period)
}

// explainMemory1: v1 refuses a limit below what is in use (EBUSY) and one above that of memory and
// swap together (EINVAL).
func explainMemory1(r *refusal) string {
	switch sum := r.read(memsw1); {
	case r.is(unix.EBUSY): // the words are runc's
		return fmt.Sprintf("unable to set memory limit to %s (current usage: %s, peak usage: %s)", r.value,
			r.read("memory.usage_in_bytes"), r.read("memory.max_usage_in_bytes"))
	case r.is(unix.EINVAL) && sum != "" && (limitOf(r.value) > limitOf(sum) || limitOf(r.value) == -1):
		return beyondSwap(r.value, sum)
	}
	return ""
}

// beyondSwap is what is wrong with a memory limit above the one of memory and swap together.
func beyondSwap(limit, sum string) string {
	if limit == "-1" {
		limit = "no limit"
	}
	return fmt.Sprintf("%s is more than %s, the limit of memory and swap together: set that one too (memory.swap, update --memory-swap)", limit, sum)
}

// unlimited1 is about what v1 shows for no limit: PAGE_COUNTER_MAX pages, of any size, in bytes.
const unlimited1 = 1<<63 - 1<<20

func explainSwap1(r *refusal) string {
	switch limit := r.read(memory1); {
	case r.is(unix.ENOENT):
		return "the kernel does not account swap (kernel parameter swapaccount=1)"
	case r.is(unix.EBUSY):
		return fmt.Sprintf("%s is less than the %s bytes of memory and swap in use", r.value, r.read("memory.memsw.usage_in_bytes"))
	case r.is(unix.EINVAL) && limitOf(limit) >= unlimited1:
		return "a limit of memory and swap together needs one of memory (memory.limit, update --memory)"
	case r.is(unix.EINVAL) && limitOf(r.value) < limitOf(limit):
		return fmt.Sprintf("%s is less than %s, the limit of memory alone", r.value, limit)
	}
	return ""
}

// sharesTaken: v1 silently takes the nearest value in its range. The words are runc's.
func sharesTaken(path, wanted string) error {
	text, err := readFile(path)
	if err != nil {
		return err
	}
	shares, _ := strconv.ParseUint(wanted, 10, 64)
	switch taken, err := strconv.ParseUint(text, 10, 64); {
	case err != nil:
		return fmt.Errorf("read %q: unexpected content %q", path, text)
	case shares > taken:
		return fmt.Errorf("the maximum allowed cpu-shares is %d", taken)
	case shares < taken:
		return fmt.Errorf("the minimum allowed cpu-shares is %d", taken)
	}
	return nil
}

func explainCPUs(r *refusal) string {
	return explainNumbers(r, "CPU", possibleCPUs, "cpuset.cpus")
}

func explainMems(r *refusal) string {
	return explainNumbers(r, "memory node", possibleNodes, "cpuset.mems")
}

// explainNumbers says which number of a list the machine, or the cgroup above, doesn't have.
func explainNumbers(r *refusal, what, possible, file string) string {
	if !r.is(unix.ERANGE, unix.EINVAL, unix.EACCES, unix.ENODEV) {
		return ""
	}
	text, err := readFile(possible)
	if err != nil {
		return ""
	}
	has, err := parseNumbers(text, 0)
	if err != nil {
		return ""
	}
	wanted, err := parseNumbers(r.value, has.last())
	if err != nil {
		return err.Error()
	}
	if n := wanted.firstBeyond(has); n >= 0 {
		return fmt.Sprintf("%s %d does not exist, this machine has %s", what, n, text)
	}
	above := r.read("../" + strings.Replace(file, "cpuset.", "cpuset.effective_", 1)) // v1
	if r.e.v2 {
		above = r.read("../" + file + ".effective")
	}
	if has, err = parseNumbers(above, 0); err != nil || above == "" {
		return ""
	}
	if n := wanted.firstBeyond(has); n >= 0 {
		return fmt.Sprintf("%s %d is not available, the cgroup above has %s", what, n, above)
	}
	return ""
}

// explainDisk: limits are for whole disks.
func explainDisk(r *refusal) string {
	if device, _, _ := strings.Cut(r.value, " "); r.is(unix.ENODEV) {
		return fmt.Sprintf("this machine has no whole disk %s", device)
	}
	return ""
}

// explainHugepages lists the page sizes that there are.
func explainHugepages(r *refusal) string {
	if !r.is(unix.ENOENT) {
		return ""
	}
	if _, ok := r.enabled(); r.e.v2 && !ok {
		return ""
	}
	size, _, _ := strings.Cut(strings.TrimPrefix(r.file, "hugetlb."), ".")
	sizes := hugePageSizes()
	switch {
	case slices.Contains(sizes, size):
		return ""
	case sizes == nil:
		return "this machine has no huge pages"
	}
	return fmt.Sprintf("huge pages of %s do not exist, this machine has %s", size, strings.Join(sizes, ", "))
}

// hugePageSizes lists the sizes of huge pages as hugetlb's files have them: "2MB", "1GB".
func hugePageSizes() []string {
	entries, err := os.ReadDir("/sys/kernel/mm/hugepages")
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries { // hugepages-2048kB
		text, ok := strings.CutSuffix(strings.TrimPrefix(e.Name(), "hugepages-"), "kB")
		if kb, err := strconv.ParseUint(text, 10, 64); ok && err == nil {
			out = append(out, pageSize(kb))
		}
	}
	return out
}

// pageSize writes a size as mem_fmt of mm/hugetlb_cgroup.c does.
func pageSize(kb uint64) string {
	switch {
	case kb >= 1<<20:
		return strconv.FormatUint(kb>>20, 10) + "GB"
	case kb >= 1<<10:
		return strconv.FormatUint(kb>>10, 10) + "MB"
	}
	return strconv.FormatUint(kb, 10) + "KB"
}
