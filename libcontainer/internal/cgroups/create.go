package cgroups

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/specconv"
)

// The texts of runc for a cgroup that can't be taken over; tests and users know them.
var (
	errNotEmpty = errors.New("container's cgroup is not empty")
	errFrozen   = errors.New("container's cgroup unexpectedly frozen")
)

// maker makes the directories of a new container's cgroups, and removes them again if it can't make
// them all.
type maker struct {
	*Manager
	plan *plan
	// optional says that a cgroup without permission is left out instead of being an error.
	optional bool
	chosen   bool     // linux.cgroupsPath says where the cgroup is
	made     []string // directories, the first made first
	owner    int      // the user id that gets the cgroup, or -1
}

// Create makes the container's cgroup in each hierarchy and brings it into a state in which a
// process can join: the controllers enabled (v2), the CPUs and memory nodes set (cpuset). A cgroup
// that exists already is taken if nobody is in it and it isn't frozen. After an error, nothing is
// left of what was made.
func (m *maker) Create() error {
	if m.record.Driver == DriverSystemd {
		return nil // the unit starts with its first process, in Join
	}
	err := m.create()
	if err == nil {
		return nil
	}
	err = explainMkdir(err)
	m.undo()
	if m.optional && denied(err) {
		err = fmt.Errorf("rootless needs no limits + no cgrouppath when no permission is granted for cgroups: %w", err)
	}
	return m.Blame(notApplied(m.record.advise(err)))
}

// notApplied says, in runc's words, that a cgroup could not be made as it was planned; the field
// that is to blame comes first.
func notApplied(err error) error {
	const words = "unable to apply cgroup configuration: %w"
	if field, ok := errors.AsType[*specconv.FieldError](err); ok && field.Error() == err.Error() {
		return specconv.Fieldf(field.Pointer, words, field.Err)
	}
	return fmt.Errorf(words, err)
}

func (m *maker) create() error {
	for _, h := range slices.Clone(m.record.Hierarchies) {
		h := m.hierarchyAt(h.Mount)
		span := trace.Begin("make cgroup")
		span.Set("path", h.Dir())
		err := m.makeDir(h)
		if err == nil {
			err = m.prepare(h)
		}
		span.End(err)
		switch {
		case err == nil:
		case m.mayDrop(h, err):
			m.drop(h)
		default:
			return err
		}
	}
	if m.optional && len(m.record.Hierarchies) == 0 && m.plan.sharedPID {
		log.Warn("the container gets no cgroup and has no private pid namespace: not all of its processes can be killed. Such configuration is strongly discouraged")
	}
	return nil
}

// prepare does what a cgroup needs before it can have processes.
func (m *maker) prepare(h *Hierarchy) error {
	switch {
	case h.has("cpuset"):
		return m.fillCpuset(h)
	case h.unified() && m.record.Mode == V2:
		return m.enableControllers(h)
	}
	return nil
}

// makeDir makes the cgroup's directory, and those above it that are missing.
func (m *maker) makeDir(h *Hierarchy) error {
	dir := h.Dir()
	switch err := mkdir(dir); {
	case err == nil:
		m.made = append(m.made, dir)
		return nil
	case errors.Is(err, unix.EEXIST) && fileOnTheWay(dir) == "":
		return m.takeOver(h)
	case !errors.Is(err, unix.ENOENT) || h.Path == "/":
		return err
	}
	parent := &Hierarchy{h.Controllers, h.Mount, filepath.Dir(h.Path)}
	if err := m.makeParent(parent); err != nil {
		return err
	}
	if err := mkdir(dir); err != nil {
		return err
	}
	m.made = append(m.made, dir)
	return nil
}

func (m *maker) makeParent(h *Hierarchy) error {
	dir := h.Dir()
	err := mkdir(dir)
	if errors.Is(err, unix.ENOENT) && h.Path != "/" {
		if err := m.makeParent(&Hierarchy{h.Controllers, h.Mount, filepath.Dir(h.Path)}); err != nil {
			return err
		}
		err = mkdir(dir)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil // made by somebody else meanwhile
	}
	if err == nil {
		m.made = append(m.made, dir)
	}
	return err
}

func mkdir(dir string) error {
	for {
		err := unix.Mkdir(dir, 0o755)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &fileError{Op: "mkdir", Path: dir, Err: err}
		}
	}
}

// checkFree looks for a cgroup that exists already and can't be taken over, before anybody writes
// down that it is the container's. Two hierarchies stand for all on v1; Create looks at the others.
func (m *maker) checkFree() error {
	for _, controller := range [...]string{"freezer", "devices"} {
		h := m.hierarchy(controller)
		if h == nil || unix.Access(h.Dir(), unix.F_OK) != nil {
			continue
		}
		if err := m.takeOver(h); err != nil && !denied(err) {
			return m.Blame(err)
		}
	}
	return nil
}

// takeOver checks that an existing cgroup may become the container's. A cgroup of
// somebody else, such as root's for a container of the same name, counts as none where the
// container can do without one.
func (m *maker) takeOver(h *Hierarchy) error {
	if procs := h.Dir() + "/cgroup.procs"; m.optional {
		if err := unix.Access(procs, unix.W_OK); denied(err) {
			return &fileError{Op: "open", Path: procs, Err: err}
		}
	}
	if h.has("freezer") || h.unified() {
		frozen, err := frozenItself(h)
		if err != nil && !gone(err) {
			return err
		}
		if frozen {
			return errFrozen
		}
	}
	pids, err := pidsBelow(h.Dir())
	if err != nil && !gone(err) {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("%w: %d process(es) found in %q", errNotEmpty, len(pids), h.Dir())
	}
	return nil
}

// undo removes what Create made. What it found is somebody else's, whom nobody removes then.
func (m *maker) undo() {
	for _, dir := range slices.Backward(m.made) {
		_ = unix.Rmdir(dir)
	}
	m.made, m.record.Hierarchies = nil, nil
}
