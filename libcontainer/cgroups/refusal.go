package cgroups

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// errNoCgroup: the container has no cgroup in the hierarchy that a limit is for.
var errNoCgroup = errors.New("container could not join or create cgroup")

// refusal is a limit that could not be set.
type refusal struct {
	*write
	err error
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
	text, _ := readFile(r.dir + "/" + file)
	return text
}

// refused says which field a limit is from, what is the matter with its value, and what the kernel said of which file.
func (m *Manager) refused(w *write, cause error) error {
	r := &refusal{w, cause}
	err, text := cause, ""
	if w.e.explain != nil && w.dir != "" {
		text = w.e.explain(r)
	}
	switch {
	case errors.Is(cause, errNoCgroup):
		err = m.noCgroup(w)
	case w.e == &unifiedEntry:
		err = r.unified()
	case text != "" && r.is(unix.ENOENT): // whose words engines take for a program that is missing
		err = errors.New(text)
	case text != "":
		err = fmt.Errorf("%s: %w", text, cause)
	case r.is(unix.ENOENT):
		err = r.missing()
	}
	return specconv.Field(w.at, m.adviseOn(cause, err))
}

// noCgroup says why the container has no cgroup for a limit.
func (m *Manager) noCgroup(w *write) error {
	switch {
	case m.record.Mode == V2:
		return errors.New("rootless needs no limits + no cgrouppath when no permission is granted for cgroups")
	case m.record.Rootless:
		return fmt.Errorf("cannot set %s limit: %w", w.controller, errNoCgroup)
	}
	return fmt.Errorf("cannot set %s limit: the kernel has no controller %s, or it is not mounted (mounted: %s)", w.controller, w.controller,
		m.controllers())
}

// controllers lists those of the v1 hierarchies that the container is in.
func (m *Manager) controllers() string {
	var names []string
	for i := range m.record.Hierarchies {
		for _, c := range m.record.Hierarchies[i].Controllers {
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

// unified has runc's words for a controller that isn't there; EACCES is what opening a file gives that a container's cgroup lacks and
// the caller may not make.
func (r *refusal) unified() error {
	if _, ok := r.enabled(); !ok && r.is(unix.ENOENT, unix.EACCES, unix.EPERM) {
		return fmt.Errorf("unified resource %q can't be set: controller %q not available", r.file, r.controller)
	}
	if r.is(unix.ENOENT) {
		return r.missing()
	}
	return fmt.Errorf("set unified resource %q: %w", r.file, r.err)
}
