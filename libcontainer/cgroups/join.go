package cgroups

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Join moves a process, with all of its threads, into the container's cgroups.
//
// The first move of a series pays for the kernel's cgroup_threadgroup_rwsem; those that follow at once are cheap (5 µs,
// measured on 6.18), so nothing is done in between.
func (m *Manager) Join(pid int) error {
	if m.born {
		return nil
	}
	if m.record.Driver == DriverSystemd {
		if err := m.startUnit(pid); err != nil {
			return err
		}
	}
	return m.join("", pid)
}

func (m *Manager) join(below string, pid int) error {
	value := strconv.Itoa(pid)
	for i := 0; i < len(m.record.Hierarchies); i++ {
		h := &m.record.Hierarchies[i]
		err := joinDir(h.Dir()+below, value)
		switch {
		case err == nil:
		case m.optional && denied(err) && !m.needs(h):
			m.drop(h)
			i--
		default:
			return fmt.Errorf("unable to apply cgroup configuration: adding pid %d to cgroups: %w", pid, err)
		}
	}
	return nil
}

// joinDir writes a pid to a cgroup. EINVAL may mean that the process is not complete yet (TASK_NEW), which passes.
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

// warnUnmanaged is said once where a container that can't be put in a cgroup has no pid namespace either.
func (m *Manager) warnUnmanaged() {
	slog.Warn("the container has neither a cgroup nor a private pid namespace: not all of its processes can be killed")
}
