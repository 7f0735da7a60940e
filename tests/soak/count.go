package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// counts are how many there are of each thing.
type counts map[string]int

// What must be as before to the last one; the kernel's own objects are everybody's.
var own = []string{"processes", "cgroups", "mounts", "files", "descriptors"}

// objects are the kernel's caches that tell of a leak that nothing else shows: a namespace that no
// process is in, a cgroup that was removed and is still held.
var objects = []string{"mnt_cache", "pid_namespace", "net_namespace", "uts_namespace", "user_namespace", "nsproxy", "mem_cgroup"}

// count counts what there is.
func (s *soak) count() counts {
	c := counts{}
	for _, kind := range own {
		c[kind] = 0
	}
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, t := range tasks {
		text, _ := os.ReadFile(t)
		c["processes"] += len(strings.Fields(string(text)))
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(filepath.Base(path), s.mark) {
			c["cgroups"]++
		}
		return nil // what others remove meanwhile is not ours
	})
	text, _ := os.ReadFile("/proc/self/mountinfo")
	c["mounts"] = strings.Count(string(text), s.mark)
	_ = filepath.WalkDir(s.dir, func(string, fs.DirEntry, error) error { c["files"]++; return nil })
	fds, _ := os.ReadDir("/proc/self/fd")
	c["descriptors"] = len(fds)
	slabs(c)
	return c
}

// slabs adds the numbers of the kernel's objects, where they may be read and have a cache of their
// own.
func slabs(c counts) {
	text, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return
	}
	for l := range strings.Lines(string(text)) {
		fields := strings.Fields(l)
		if len(fields) > 2 && slices.Contains(objects, fields[0]) {
			if n, err := strconv.Atoi(fields[1]); err == nil {
				c["kernel: "+fields[0]] = n
			}
		}
	}
}

// settle counts until all is as before, or for some seconds: what was killed takes a moment.
func (s *soak) settle(before counts) counts {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		after := s.count()
		same := true
		for _, kind := range own {
			same = same && after[kind] == before[kind]
		}
		if same || time.Now().After(deadline) {
			return after
		}
	}
}

// compare prints what there was and is, and returns what is left. Other work on the machine changes
// the numbers of the kernel's objects; a leak in one of ten lives shows all the same.
func compare(before, after counts, cycles int) error {
	fmt.Println("| what | before | after |\n|---|---|---|")
	var left []error
	kinds := slices.Clone(own)
	for _, o := range objects {
		kinds = append(kinds, "kernel: "+o)
	}
	for _, kind := range kinds {
		b, known := before[kind]
		if !known {
			continue
		}
		a := after[kind]
		fmt.Printf("| %s | %d | %d |\n", kind, b, a)
		if slices.Contains(own, kind) && a != b || a > b+max(200, cycles/10) {
			left = append(left, fmt.Errorf("%s: %d before, %d after", kind, b, a))
		}
	}
	return errors.Join(left...)
}
