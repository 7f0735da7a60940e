package trace

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clock reads CLOCK_MONOTONIC. x/sys reads it by a system call, Go by the vDSO, which says no more
// than what has gone by: so the first is asked once.
type clock struct {
	began time.Time
	at    int64 // ns of CLOCK_MONOTONIC at began
	unix  int64 // ns since 1970 at that moment
}

func newClock() clock {
	var monotonic, realtime unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) // it takes no errors but for a clock that doesn't exist
	c := clock{began: time.Now()}
	_ = unix.ClockGettime(unix.CLOCK_REALTIME, &realtime)
	c.at, c.unix = monotonic.Nano(), realtime.Nano()
	return c
}

func (c *clock) now() int64 { return c.at + int64(time.Since(c.began)) }

// unixNano converts a time of the clock. It goes by what the two clocks said at the beginning, so
// that a clock which is set meanwhile stretches no span.
func (c *clock) unixNano(at int64) int64 { return c.unix + at - c.at }

// startOf tells when this process began, as far as its first thread shows: by the time that it has
// been on a processor and waited for one (proc_pid_schedstat). Waits for a disk are not in that. It
// is now where the kernel doesn't tell (CONFIG_SCHED_INFO).
func (c *clock) startOf() int64 {
	now := c.now()
	text, err := os.ReadFile("/proc/self/schedstat")
	if err != nil {
		return now
	}
	for _, field := range append(strings.Fields(string(text)), "", "")[:2] {
		ns, _ := strconv.ParseInt(field, 10, 64)
		now -= ns
	}
	return now
}

// foreignOffset is by how many ns CLOCK_MONOTONIC is ahead of ours in the time namespace of a
// process, time_namespaces(7). One that has ended, or a kernel without them, has none.
func foreignOffset(pid int) int64 {
	theirs, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/timens_offsets")
	if err != nil {
		return 0
	}
	ours, err := os.ReadFile("/proc/self/timens_offsets")
	if err != nil {
		return 0
	}
	return monotonicOffset(string(theirs)) - monotonicOffset(string(ours))
}

// monotonicOffset reads a line "monotonic SECONDS NANOSECONDS" of timens_offsets.
func monotonicOffset(text string) int64 {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "monotonic" {
			continue
		}
		seconds, _ := strconv.ParseInt(fields[1], 10, 64)
		ns, _ := strconv.ParseInt(fields[2], 10, 64)
		return seconds*int64(time.Second) + ns
	}
	return 0
}
