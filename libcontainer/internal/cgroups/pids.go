package cgroups

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pidsIn lists the processes of one cgroup.
func pidsIn(dir string) ([]int, error) {
	text, err := readFile(dir + "/cgroup.procs")
	if errors.Is(err, unix.ENOTSUP) { // a threaded cgroup
		text, err = readFile(dir + "/cgroup.threads")
	}
	if err != nil || text == "" {
		return nil, err
	}
	var pids []int
	for line := range strings.SplitSeq(text, "\n") {
		pid, err := strconv.Atoi(line)
		if err != nil {
			return nil, err
		}
		if pid != 0 { // a process outside of our pid namespace
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// pidsBelow lists the processes of a cgroup and all cgroups below.
func pidsBelow(dir string) ([]int, error) {
	dir, done, err := shorten(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	pids, err := pidsIn(dir)
	if err != nil {
		return nil, err
	}
	below, err := children(dir)
	if err != nil {
		return nil, err
	}
	for _, child := range below {
		more, err := pidsBelow(child)
		if err != nil && !gone(err) {
			return nil, err
		}
		pids = append(pids, more...)
	}
	return pids, nil
}

// children lists the directories of the cgroups directly below dir. A cgroup directory's link count
// tells when there are none, which saves reading it.
func children(dir string) ([]string, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, &fileError{Op: "stat", Path: dir, Err: err}
	}
	if st.Nlink <= 2 {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, dir+"/"+e.Name())
		}
	}
	return out, nil
}
