package cgroups

import (
	"errors"
	"slices"
	"strings"
)

// snapshot is what files held before a change.
type snapshot []saved

// saved is a file's content. Files with a line for each device are restored by the lines of those
// devices that the change mentions; keys has their names, and reset what ends a limit that there
// was none of before.
type saved struct {
	path, old string
	keys      []string
	reset     string
}

// restore gives files their content back. Some depend on others (memory and swap, quota and
// period), so a value that is refused gets another chance after the others.
func (s snapshot) restore() error {
	var errs []error
	for range 3 {
		errs = nil
		for i := range s {
			if err := s[i].restore(); err != nil {
				errs = append(errs, err)
			}
		}
		if errs == nil {
			return nil
		}
	}
	return errors.Join(errs...)
}

func (f *saved) restore() error {
	now, err := readFile(f.path)
	if err != nil || now == f.old {
		return err
	}
	if f.keys == nil {
		for line := range strings.SplitSeq(f.old, "\n") {
			if line == "" {
				line = "\n" // an empty list; a write of nothing might not reach the file
			}
			if err := writeFile(f.path, line); err != nil {
				return err
			}
		}
		return nil
	}
	for _, key := range f.keys {
		line := key + " " + f.reset
		for old := range strings.SplitSeq(f.old, "\n") {
			if strings.HasPrefix(old, key+" ") {
				line = old
			}
		}
		if err := writeFile(f.path, line); err != nil {
			return err
		}
	}
	return nil
}

// snapshot reads the files that writing l will change. One that can't be read isn't there, or can't
// be restored: what can't be written later fails then.
func (a *applier) snapshot(l *limits) snapshot {
	var out snapshot
	for _, w := range a.writes(l) {
		keys, reset := w.lines()
		if at := out.find(w.path()); at >= 0 {
			out[at].keys = append(out[at].keys, keys...)
			continue
		}
		if w.dir == "" {
			continue
		}
		if old, err := readFile(w.path()); err == nil {
			if w.file == "memory.oom_control" {
				old = strings.TrimPrefix(strings.SplitN(old, "\n", 2)[0], "oom_kill_disable ")
			}
			out = append(out, saved{w.path(), old, keys, reset})
		}
	}
	return out
}

func (s snapshot) find(path string) int {
	return slices.IndexFunc(s, func(f saved) bool { return f.path == path })
}

// lines gives the names of the lines that a write changes in a file that has one for each device or
// resource, and what ends a limit there.
func (w *write) lines() (keys []string, reset string) {
	if reset = w.e.reset; reset == "" {
		reset = resetOf(w.file)
	}
	if reset == "" {
		return nil, ""
	}
	for line := range strings.Lines(w.value) {
		switch words := strings.Fields(line); len(words) {
		case 0:
		case 1: // of a weight, the default
			keys = append(keys, "default")
		default:
			keys = append(keys, words[0])
		}
	}
	return keys, reset
}

// noLimit is, of v2's files with a line for each device or resource, what ends a limit there.
var noLimit = [...]struct{ file, reset string }{
	{"io.max", noThrottle},
	{"io.latency", "target=0"},
	{"io.weight", "default"},
	{"io.bfq.weight", "default"},
	{"misc.max", "max"},
	{"rdma.max", noRDMALimit},
}

// resetOf looks a file up in noLimit; it is empty for others.
func resetOf(file string) string {
	for _, f := range noLimit {
		if f.file == file {
			return f.reset
		}
	}
	return ""
}
