package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// tick is the unit of a start time, proc(5): sysconf(_SC_CLK_TCK) is 100 on every architecture of
// Linux that Go has.
const tick = 10 * time.Millisecond

// Began tells when the process began.
func (p Process) Began() (time.Time, error) {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}, os.NewSyscallError("clock_gettime", err)
	}
	return time.Now().Add(time.Duration(p.StartTime)*tick - time.Duration(up.Nano())), nil
}

// Strangers lists the processes that began between two moments and are in another mount namespace
// than we, with first only those that are the first of a pid namespace. It leaves out what ends
// meanwhile, and what we may not look at: that can't be a process of a container that we have made.
func Strangers(from, to time.Time, first bool) (found []Process, err error) {
	ours, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, began, err := identifyAt(pid)
		if err == nil && !began.Before(from) && !began.After(to) {
			var stranger bool
			if stranger, err = p.stranger(ours, first); stranger {
				found = append(found, p)
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) && !errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
	}
	return found, nil
}

func identifyAt(pid int) (p Process, began time.Time, err error) {
	if p, err = Identify(pid); err == nil {
		began, err = p.Began()
	}
	return p, began, err
}

// stranger tells whether the process lives in another mount namespace than ours.
func (p Process) stranger(ours string, first bool) (bool, error) {
	if alive, err := p.Alive(); err != nil || !alive {
		return false, err
	}
	proc := "/proc/" + strconv.Itoa(p.PID)
	theirs, err := os.Readlink(proc + "/ns/mnt")
	if err != nil || theirs == ours || !first {
		return err == nil && theirs != ours, err
	}
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		return false, err
	}
	_, rest, _ := strings.Cut(string(status), "\nNSpid:")
	pids, _, _ := strings.Cut(rest, "\n")
	return strings.HasSuffix(pids, "\t1"), nil
}

// Making is when a container was made, as its files say.
type Making struct {
	Begin   time.Time // its directory was made
	End     time.Time // its init had begun; zero if it has no config.json, so that no create has come to that
	Changed time.Time // its directory last changed, by its start at the latest if nobody has meddled
}

// Making looks at the times of the container's files.
func (d *Dir) Making() (m Making, err error) {
	const most = 10 * time.Second // from the beginning to the end on a slow machine
	var dir, config unix.Statx_t
	if err := linux.Statx(int(d.dir.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME|unix.STATX_MTIME, &dir); err != nil {
		return m, fmt.Errorf("statx %q: %w", d.path, err)
	}
	m.Changed = timeOf(dir.Mtime)
	err = linux.Statx(int(d.dir.Fd()), configName, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MTIME, &config)
	switch {
	case err == nil:
		m.End = timeOf(config.Mtime)
	case !errors.Is(err, unix.ENOENT):
		return m, fmt.Errorf("statx %q: %w", filepath.Join(d.path, configName), err)
	}
	if m.Begin = m.End.Add(-most); dir.Mask&unix.STATX_BTIME != 0 {
		m.Begin = timeOf(dir.Btime)
	}
	return m, nil
}

func timeOf(t unix.StatxTimestamp) time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }
