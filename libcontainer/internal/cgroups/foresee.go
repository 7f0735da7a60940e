package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// Foresee tells which of the limits this host can't set for a new container's cgroup, without
// making it: the first that has no controller, that the caller has no permission for, or whose
// value the kernel will refuse for a reason that can be known. It is nil if none is. Errors are a
// *specconv.FieldError.
func (m *maker) Foresee() error {
	if m.record.Driver == DriverDisabled {
		return nil
	}
	var all []write
	for _, l := range [...]*limits{m.plan.cpusets(), m.plan.early, m.plan.late} {
		all = append(all, m.writes(l)...)
		for i := range all {
			if all[i].file == "cpu.max" && value(l.CPU.Quota) == 0 && value(l.CPU.Period) != 0 {
				all[i].at = "/linux/resources/cpu/period"
			}
		}
	}
	for i := range all {
		if err := m.foresee(&all[i], all); err != nil {
			return err
		}
	}
	return nil
}

// cpusets are the limits that a cgroup gets when it is made.
func (p *plan) cpusets() *limits {
	l := newLimits(nil)
	l.CPU.Cpus, l.CPU.Mems = p.cpus, p.mems
	return l
}

func (m *maker) foresee(w *write, all []write) error {
	if w.dir == "" {
		return m.refused(w, errNoCgroup)
	}
	above := existing(w.dir)
	if err := m.mayMake(w, above); err != nil {
		return err
	}
	if m.record.Mode == V2 {
		if err := m.delegates(w, above); err != nil {
			return err
		}
	}
	explain, errno := w.explain(), w.expected(above)
	if explain == nil || errno == 0 {
		return nil
	}
	soon := *w
	soon.dir = above + "/new"
	text := explain(&refusal{write: &soon, err: errno, planned: plannedFiles(all)})
	if text == "" {
		return nil
	}
	return specconv.Field(soon.at, errors.New(text))
}

// existing is the nearest directory at or above a cgroup's that exists.
func existing(dir string) string {
	for len(dir) > len(mountRoot) && unix.Access(dir, unix.F_OK) != nil {
		dir = filepath.Dir(dir)
	}
	return dir
}

// mayMake tells whether the caller may make a cgroup below another one. What systemd makes, the
// caller need not be able to.
func (m *maker) mayMake(w *write, above string) error {
	if m.record.Driver == DriverSystemd {
		return nil
	}
	err := unix.Access(above, unix.W_OK)
	if err == nil {
		return nil
	}
	return specconv.Field(w.at, m.record.advise(fmt.Errorf("make a cgroup in %q: %w", above, err)))
}

// delegates tells whether a v2 cgroup has the controller for those below it. One that systemd will
// make gets what its manager's cgroup has.
func (m *maker) delegates(w *write, above string) error {
	have, err := readFile(above + "/cgroup.controllers")
	if err != nil {
		return specconv.Field(w.at, err)
	}
	if w.controller == "cgroup" || slices.Contains(strings.Fields(have), w.controller) {
		return nil
	}
	if have == "" {
		have = "none"
	}
	err = fmt.Errorf("set %q: cgroup %q has no controller %s for those below it (it has: %s)", w.file, above, w.controller, have)
	return specconv.Field(w.at, m.record.adviseOn(errNoCgroup, err))
}

// expected is the errno with which the kernel would refuse a value that its explanation finds
// wrong, or 0 if that looks at more than the value and the machine.
func (w *write) expected(above string) unix.Errno {
	switch {
	case strings.HasPrefix(w.file, "cpu.rt_"): // what other cgroups leave changes all the time
		return 0
	case w.controller == "hugetlb":
		return unix.ENOENT
	case w.file == memsw1:
		if w.value == "-1" || hasFile(above+"/"+memsw1) {
			return 0
		}
		return unix.ENOENT
	case strings.HasPrefix(w.file, "blkio.throttle."), w.file == "io.max":
		if device, _, _ := strings.Cut(w.value, " "); isDisk(device) {
			return 0
		}
		return unix.ENODEV
	}
	return unix.EINVAL
}

// isDisk tells whether a device is a whole disk: only these have limits (blkcg_conf_open_bdev of
// block/blk-cgroup.c).
func isDisk(device string) bool {
	sys := "/sys/dev/block/" + device
	if _, err := os.Stat(sys); err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	_, err := os.Stat(sys + "/partition")
	return errors.Is(err, os.ErrNotExist)
}

// plannedFiles is what the files of a new cgroup will have, those with a default that matters to
// others among them.
func plannedFiles(all []write) map[string]string {
	files := map[string]string{"cpu.cfs_period_us": strconv.Itoa(defaultPeriod), "cpu.cfs_quota_us": "-1"}
	for i := range all {
		files[all[i].file] = all[i].value
	}
	delete(files, "cpu.cfs_burst_us") // a burst above the quota is the burst's fault
	delete(files, "cpu.max.burst")
	return files
}
