package cgroups

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// placeField is where config.json says what the container's cgroup is called.
const placeField = "/linux/cgroupsPath"

// Blame makes an error about the place of a container's cgroup one about linux.cgroupsPath, if that
// is what chose the place. An error about another field stays as it is.
func (m *maker) Blame(err error) error {
	if !m.chosen {
		return err
	}
	return specconv.Field(placeField, err)
}

// explainMkdir adds why a cgroup's directory can't be made, where its name or the cgroups above it
// tell.
func explainMkdir(err error) error {
	f, ok := errors.AsType[*fileError](err)
	if !ok || f.Op != "mkdir" {
		return err
	}
	why := ""
	switch {
	case errors.Is(f.Err, unix.EINVAL) && strings.Contains(f.Path, "\n"): // cgroup_mkdir of kernel/cgroup/cgroup.c
		why = "a cgroup's name has no newline"
	case errors.Is(f.Err, unix.EEXIST), errors.Is(f.Err, unix.ENOTDIR):
		why = fileOnTheWay(f.Path)
	case errors.Is(f.Err, unix.EAGAIN): // cgroup_check_hierarchy_limits, the same file
		why = fullAbove(f.Path)
	}
	if why == "" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, why)
}

// fileOnTheWay names what is a cgroup's file where a cgroup should be.
func fileOnTheWay(path string) string {
	for at := path; len(at) > len(mountRoot); at = filepath.Dir(at) {
		var st unix.Stat_t
		if unix.Lstat(at, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			return fmt.Sprintf("%q is a file of the cgroup %q", filepath.Base(at), filepath.Dir(at))
		}
	}
	return ""
}

// fullAbove names the cgroup that allows no more below it (cgroup.max.descendants,
// cgroup.max.depth; Linux 4.14).
func fullAbove(path string) string {
	depth := int64(0)
	for at := filepath.Dir(path); len(at) > len(mountRoot); at = filepath.Dir(at) {
		depth++
		if text, err := readFile(at + "/cgroup.max.depth"); err == nil && limitOf(text) >= 0 && depth > limitOf(text) {
			return fmt.Sprintf("%q has cgroup.max.depth %s", at, text)
		}
		text, err := readFile(at + "/cgroup.max.descendants")
		if err != nil || limitOf(text) < 0 {
			continue
		}
		stat, err := readFile(at + "/cgroup.stat")
		if err == nil && below(stat) >= limitOf(text) {
			return fmt.Sprintf("%q has cgroup.max.descendants %s", at, text)
		}
	}
	return ""
}

// below is nr_descendants of a cgroup.stat.
func below(stat string) int64 {
	for line := range strings.Lines(stat) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "nr_descendants "); ok {
			return limitOf(value)
		}
	}
	return -1
}
