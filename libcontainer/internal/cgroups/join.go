package cgroups

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Join moves a process, with all of its threads, into the container's cgroups.
//
// The first move of a series pays for the kernel's cgroup_threadgroup_rwsem; those that follow at
// once are cheap (5 µs, measured on 6.18), so nothing is done in between.
func (c *Creation) Join(pid int) error {
	c.pid = pid
	if c.born {
		return nil
	}
	if c.record.Driver == DriverSystemd {
		if err := c.startUnit(pid); err != nil {
			return err
		}
	}
	if c.record.Mode == V2 && c.tight() {
		settle(pid)
	}
	return c.Blame(explainJoin(c.join("", pid)))
}

// settle gives a process that was just cloned the time to execute its program and come to wait for
// something, so that the memory for that is accounted where it is now. It is not an error if that
// doesn't show in a tenth of a second.
func settle(pid int) {
	proc := "/proc/" + strconv.Itoa(pid)
	own, _ := readFile("/proc/self/cmdline")
	asleep := 0
	for range 200 {
		time.Sleep(500 * time.Microsecond)
		command, err := readFile(proc + "/cmdline")
		if err != nil {
			return
		}
		stat, _ := readFile(proc + "/stat")
		_, state, _ := strings.Cut(stat, ") ")
		if command == own || !strings.HasPrefix(state, "S") {
			asleep = 0
		} else if asleep++; asleep == 4 { // once may be a page that is being read
			return
		}
	}
}

func (c *Creation) join(below string, pid int) error {
	value := strconv.Itoa(pid)
	for i := 0; i < len(c.record.Hierarchies); i++ {
		h := &c.record.Hierarchies[i]
		if below == "" && c.joinsLate(h) {
			continue
		}
		err := joinDir(h.Dir()+below, value)
		switch {
		case err == nil:
		case c.mayDrop(h, err):
			c.drop(h)
			i--
		default:
			return fmt.Errorf("unable to apply cgroup configuration: adding pid %d to cgroups: %w", pid, err)
		}
	}
	return nil
}

// explainJoin adds why a cgroup of v2 takes no process: one that gives controllers to those below
// it has none of its own (cgroups(7), the rule of no internal processes).
func explainJoin(err error) error {
	f, ok := errors.AsType[*fileError](err)
	if !ok || !errors.Is(err, unix.EBUSY) {
		return err
	}
	given, rerr := readFile(filepath.Dir(f.Path) + "/cgroup.subtree_control")
	if rerr != nil || given == "" {
		return err
	}
	return fmt.Errorf("%w (it gives its controllers to cgroups below it: %s)", err, given)
}

// joinDir writes a pid to a cgroup. EINVAL may mean that the process is not complete yet
// (TASK_NEW), which passes.
func joinDir(dir, pid string) error {
	file := dir + "/cgroup.procs"
	fd, err := openFile(unix.AT_FDCWD, file, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for try := 0; ; try++ {
		err := writeFD(fd, file, pid)
		if err == nil || try == 10 || !errors.Is(err, unix.EINVAL) {
			return err
		}
		time.Sleep(time.Millisecond << min(try, 4))
	}
}

// tight tells whether the memory limit may be too low for init, which needs a few MiB before it
// becomes the container's program. The kernel accounts memory to the cgroup in which it was first
// used and leaves it there. So init then gets into the container's cgroup of memory as late as can
// be: on v1 after the limit was set, on v2 (where there is but one cgroup, which has to be the root
// of the cgroup namespace) when most of it has been used, before it is sent its plan.
func (c *Creation) tight() bool {
	const room = 16 << 20 // of which init takes less than [roomMemory] at its start
	if c.record.Driver != DriverCgroupfs {
		return false
	}
	if n := value(c.plan.late.Memory.Limit); n > 0 && n < room {
		return true
	}
	for _, s := range c.plan.late.unified {
		if s.file == "memory.max" || s.file == "memory.high" {
			if n := bytesOf(strings.TrimSpace(s.value)); n > 0 && n < room {
				return true
			}
		}
	}
	return false
}

// joinsLate tells whether the process is to join this hierarchy only when its limits are set.
func (c *Creation) joinsLate(h *Hierarchy) bool { return h.has("memory") && c.tight() }
