package cgroups

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// errNoCgroup: the container has no cgroup in the hierarchy that a limit is for.
var errNoCgroup = errors.New("container could not join or create cgroup")

// refusal is a limit that could not be set.
type refusal struct {
	*write
	err     error
	planned map[string]string // what files of the cgroup will have, which doesn't exist yet; or nil
}

// is tells whether the kernel refused with one of these errnos.
func (r *refusal) is(errnos ...unix.Errno) bool {
	for _, errno := range errnos {
		if errors.Is(r.err, errno) {
			return true
		}
	}
	return false
}

// read gives the content of another file of the same cgroup, "" if it can't be read.
func (r *refusal) read(file string) string {
	if text, ok := r.planned[file]; ok {
		return text
	}
	if r.planned != nil { // no ".." leads out of what isn't there
		text, _ := readFile(filepath.Join(r.dir, file))
		return text
	}
	text, _ := readFile(r.dir + "/" + file)
	return text
}

// refused says which field a limit is from, what is the matter with its value, and what the kernel
// said of which file.
func (a *applier) refused(w *write, cause error) error {
	r := &refusal{write: w, err: cause}
	err, text := cause, ""
	if explain := w.explain(); explain != nil && w.dir != "" {
		text = explain(r)
	}
	switch {
	case errors.Is(cause, errNoCgroup):
		err = a.noCgroup(w)
	case w.e == &unifiedEntry:
		err = r.unified(text)
	case text != "" && r.is(unix.ENOENT): // whose words engines take for a program that is missing
		err = errors.New(text)
	case text != "":
		err = fmt.Errorf("%s: %w", text, cause)
	case r.is(unix.ENOENT):
		err = r.missing()
	}
	return specconv.Field(w.at, a.record.adviseOn(cause, err))
}

// explain gives what explains a refusal: for a file that unified names, what the table has for it.
func (w *write) explain() func(*refusal) string {
	if w.e != &unifiedEntry {
		return w.e.explain
	}
	for i := range table {
		if e := &table[i]; e.v2 && e.file == w.file {
			return e.explain
		}
	}
	return nil
}

// noCgroup says why the container has no cgroup for a limit: its user may not make one there, or
// there is no such hierarchy.
func (a *applier) noCgroup(w *write) error {
	if a.record.Mode == V2 {
		return errors.New("rootless needs no limits + no cgrouppath when no permission is granted for cgroups")
	}
	own, err := readMembership("/proc/self/cgroup")
	if err != nil || slices.ContainsFunc(own, func(o membership) bool { return slices.Contains(o.controllers, w.controller) }) {
		return fmt.Errorf("cannot set %s limit: %w", w.controller, errNoCgroup)
	}
	return fmt.Errorf("cannot set %s limit: the kernel has no controller %s for cgroup v1 here (there are: %s)",
		w.controller, w.controller, controllers(own))
}

// controllers lists those of the v1 hierarchies.
func controllers(own []membership) string {
	var names []string
	for i := range own {
		for _, c := range own[i].controllers {
			if !strings.HasPrefix(c, "name=") {
				names = append(names, c)
			}
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// missing says why there is no such file.
func (r *refusal) missing() error {
	why := "the kernel lacks it"
	if have, ok := r.enabled(); r.e.v2 && !ok {
		why = fmt.Sprintf("the %s controller is not available there (available: %s)", r.controller, have)
	}
	return fmt.Errorf("set %q: cgroup %q has no such limit: %s", r.file, r.dir, why)
}

// enabled tells whether a v2 cgroup has the file's controller, and lists those that it has.
func (r *refusal) enabled() (have string, ok bool) {
	have = r.read("cgroup.controllers")
	for name := range strings.FieldsSeq(have) {
		if name == r.controller {
			return have, true
		}
	}
	if r.controller == "cgroup" { // the core's own files
		return have, true
	}
	if have == "" {
		return "none", false
	}
	return strings.ReplaceAll(have, " ", ", "), false
}

// unified has runc's words for a controller that isn't there; EACCES is what opening a file gives
// that a container's cgroup lacks and the caller may not make.
func (r *refusal) unified(text string) error {
	if _, ok := r.enabled(); !ok && r.is(unix.ENOENT, unix.EACCES, unix.EPERM) {
		return fmt.Errorf("unified resource %q can't be set: controller %q not available", r.file, r.controller)
	}
	if r.is(unix.ENOENT) {
		return r.missing()
	}
	if text != "" {
		return fmt.Errorf("set unified resource %q: %s: %w", r.file, text, r.err)
	}
	return fmt.Errorf("set unified resource %q: %w", r.file, r.err)
}
