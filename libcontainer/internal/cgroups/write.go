package cgroups

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/trace"
	"oci-run/specconv"
)

// write is what a file of one cgroup is to be given for a field of linux.resources.
type write struct {
	e          *entry
	dir        string // of the container's cgroup; "" if it has none in that hierarchy
	controller string
	file       string
	value      string
	at         string // the field's JSON pointer
}

func (w *write) path() string { return w.dir + "/" + w.file }

// unifiedEntry stands in for the table where unified names the file.
var unifiedEntry = entry{v2: true}

// lines gives what the table's line has to write for l.
func (e *entry) lines(l *limits) []line {
	if e.each != nil {
		return e.each(l)
	}
	if v := e.value(l); v != "" {
		return []line{{value: v}}
	}
	return nil
}

// writes lists what l means for the container's cgroups, in order.
func (a *applier) writes(l *limits) []write {
	var out []write
	v2 := a.record.Mode == V2
	for i := range table {
		e := &table[i]
		if e.v2 != v2 {
			continue
		}
		lines := e.lines(l)
		if len(lines) == 0 {
			continue
		}
		dir := a.directory(e.controller)
		if !e.appliesTo(dir) {
			continue
		}
		for _, line := range lines {
			file := e.file
			if line.file != "" {
				file = line.file
			}
			out = append(out, write{e, dir, e.controller, file, line.value, "/linux/resources/" + e.field + line.at})
		}
	}
	if !v2 {
		memoryOrder(out)
	}
	for _, s := range l.unified {
		controller, _, _ := strings.Cut(s.file, ".")
		at := specconv.Pointer("linux", "resources", "unified", s.file)
		out = append(out, write{&unifiedEntry, a.directory(controller), controller, s.file, s.value, at})
	}
	return out
}

// appliesTo tells whether a cgroup has the files that the line is for.
func (e *entry) appliesTo(dir string) bool {
	if dir == "" || e.where == "" && e.unless == "" {
		return e.where == ""
	}
	if e.where != "" {
		return hasFile(dir + "/" + e.where)
	}
	return !hasFile(dir + "/" + e.unless)
}

// hasFile is false only if the file doesn't exist: what can't be looked at fails when it is
// written, which says why.
func hasFile(path string) bool {
	err := unix.Access(path, unix.F_OK)
	return err != unix.ENOENT && err != unix.ENOTDIR
}

// memoryOrder puts v1's limit of memory and swap before that of memory where the latter is to go
// beyond what the former is now: the kernel never lets memory.limit_in_bytes exceed
// memory.memsw.limit_in_bytes.
func memoryOrder(list []write) {
	at := slices.IndexFunc(list, func(w write) bool { return w.file == memory1 })
	if at < 0 || at+1 == len(list) || list[at+1].file != memsw1 {
		return
	}
	swap := limitOf(list[at+1].value)
	if swap != -1 {
		now, err := readFile(list[at].path())
		if limit := limitOf(now); err != nil || limit >= swap || limit == -1 {
			return
		}
	}
	list[at], list[at+1] = list[at+1], list[at]
}

// put writes a list. A value that depends on another one is tried again when that has been written.
func (a *applier) put(l *limits, list []write) error {
	var waiting []*write
	for i := range list {
		w := &list[i]
		err := w.put(l)
		if errors.Is(err, unix.EINVAL) && w.e.again != "" && slices.ContainsFunc(list[i+1:], func(o write) bool { return o.file == w.e.again }) {
			waiting = append(waiting, w)
			continue
		}
		if err != nil {
			return a.refused(w, err)
		}
		for _, again := range waiting {
			if again.e.again != w.file {
				continue
			}
			if err := again.put(l); err != nil {
				return a.refused(again, err)
			}
		}
	}
	return nil
}

// put writes one value.
func (w *write) put(l *limits) error {
	if w.dir == "" {
		return errNoCgroup
	}
	span := trace.Begin("set")
	span.Set("path", w.file)
	span.Set("value", w.value)
	span.Set("cgroup", w.dir)
	err := writeLines(w.path(), w.value)
	span.End(err)
	if err != nil {
		if errors.Is(err, unix.ENOENT) && w.e.optional != nil && w.e.optional(l, w) {
			return nil
		}
		return err
	}
	if w.e.written != nil {
		return w.e.written(w.path(), w.value)
	}
	return nil
}

// writeLines gives a file of cgroups each line of a text in a write(2) of its own: the kernel reads
// no more than one.
func writeLines(path, text string) error {
	fd, err := openFile(unix.AT_FDCWD, path, unix.O_WRONLY)
	if err != nil {
		return &fileError{Op: "write", Path: path, Value: text, Err: errors.Unwrap(err)}
	}
	defer unix.Close(fd)
	for line := range strings.Lines(text) {
		if err := writeFD(fd, path, line); err != nil {
			return err
		}
	}
	return nil
}
