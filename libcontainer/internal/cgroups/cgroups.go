// Package cgroups puts a container into control groups and gives them its limits:
// spec.Linux.Resources ↔ the kernel's files, on cgroup v1, v2 and hybrid hosts.
//
// The lifecycle makes a [Manager] with [New] (checks and plan only), stores its [Record], then
// calls [Manager.Create], [Manager.Configure] and [Manager.Join] while init starts, and
// [Manager.Limit] when init is ready. Every later command gets its Manager from the record with
// [Open].
//
// Directories, membership, freezing, killing, devices and statistics are done here with plain
// system calls on paths that are known without a look at the mount table. Limits are lines of one
// table (table.go): file, field, order, form, and what a refusal means.
package cgroups

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups/systemd"
)

// The drivers: who makes the directories.
const (
	DriverCgroupfs = "cgroupfs" // this package does
	DriverSystemd  = "systemd"  // systemd does, as a scope unit
	DriverDisabled = "disabled" // nobody; the container stays in its creator's cgroups and has no limits
)

// Options are the choices that config.json doesn't make.
type Options struct {
	// ID is the container's id. It names the cgroup if linux.cgroupsPath is absent.
	ID string
	// Driver is one of the Driver constants; "" is DriverCgroupfs.
	Driver string
	// Rootless says that the caller may lack the permission for cgroups. Then that is not an error
	// as long as linux.cgroupsPath is absent and no limit is asked for.
	Rootless bool
}

// Record is what has to be known to find a container's cgroups again. It is plain data for
// state.json.
type Record struct {
	Driver      string      `json:"driver"`
	Mode        Mode        `json:"mode"`
	Unit        string      `json:"unit,omitempty"`       // systemd: the scope's name
	Slice       string      `json:"slice,omitempty"`      // systemd: the slice it is in
	Invocation  string      `json:"invocation,omitempty"` // systemd: what no later scope of that name has
	Rootless    bool        `json:"rootless,omitempty"`   // see Options
	Hierarchies []Hierarchy `json:"hierarchies,omitempty"`
}

// Manager stands for the cgroups of one container. It is not safe for concurrent use.
type Manager struct {
	record Record
	// optional says that a cgroup without permission is left out instead of being an error.
	optional  bool
	made      []string           // directories made by Create, for undo
	born      bool               // Birth has given the process all that it needs
	pid       int                // the process that joined
	owner     int                // who gets the cgroup, or -1
	annotated []systemd.Property // properties of the unit that annotations ask for
	mute      bool               // systemd did not answer in time
	told      []systemd.Property // what systemd had been told before a change
	plan      *plan              // nil if opened from a record
}

// New checks the resources of spec and plans the container's cgroups. It changes nothing. The error
// is a
// *specconv.FieldError if a field of spec is to blame.
func New(spec *specs.Spec, o Options) (*Manager, error) {
	if o.Driver == "" {
		o.Driver = DriverCgroupfs
	}
	linux := spec.Linux
	if linux == nil {
		linux = &specs.Linux{}
	}
	mode := CurrentMode()
	m := &Manager{
		record:   Record{Driver: o.Driver, Mode: mode, Rootless: o.Rootless},
		optional: o.Rootless && linux.CgroupsPath == "",
		owner:    ownerOf(spec, mode),
	}
	if err := Check(linux.Resources, m.record.Mode); err != nil {
		return nil, err
	}
	if err := checkSwap(linux.Resources, m.record.Mode); err != nil {
		return nil, err
	}
	p, err := newPlan(spec)
	if err != nil {
		return nil, err
	}
	m.plan = p
	switch o.Driver {
	case DriverCgroupfs:
		m.record.Hierarchies, err = planPaths(m.record.Mode, linux.CgroupsPath, o.ID)
		if err != nil && m.optional {
			slog.Debug("no cgroups: " + err.Error())
			err = nil
		}
	case DriverDisabled:
		if p.limits() {
			slog.Warn("the cgroup manager is disabled: the container's limits are not applied")
		}
	case DriverSystemd:
		err = m.planUnit(spec, o)
	default:
		err = fmt.Errorf("cgroup manager %q is unknown (known: %s, %s, %s)", o.Driver,
			DriverCgroupfs, DriverSystemd, DriverDisabled)
	}
	if err == nil {
		err = m.checkFree()
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Open gives the Manager of a container that has been created before.
func Open(r Record) (*Manager, error) {
	for _, h := range r.Hierarchies {
		if !strings.HasPrefix(h.Mount, "/") || !strings.HasPrefix(h.Path, "/") {
			return nil, fmt.Errorf("cgroup %q below %q: both must be absolute paths", h.Path, h.Mount)
		}
	}
	return &Manager{record: r, owner: -1}, nil
}

// Record gives the data from which [Open] makes a Manager again. It is complete before Create.
func (m *Manager) Record() Record { return m.record }

// Mode tells the layout of the hierarchies that the container is in.
func (m *Manager) Mode() Mode { return m.record.Mode }

// Hierarchies lists the container's cgroup in each hierarchy; empty if it has none.
func (m *Manager) Hierarchies() []Hierarchy { return m.record.Hierarchies }

// Shares tells whether two containers have a cgroup in common.
func (m *Manager) Shares(o *Manager) bool {
	for i := range m.record.Hierarchies {
		for j := range o.record.Hierarchies {
			if m.record.Hierarchies[i].Dir() == o.record.Hierarchies[j].Dir() {
				return true
			}
		}
	}
	return false
}

// Path gives the directory of the container's cgroup for a v1 controller; "" is the unified
// hierarchy, which on a pure v2 host holds every controller. The result is "" if there is none.
func (m *Manager) Path(controller string) string {
	if h := m.hierarchy(controller); h != nil {
		return h.Dir()
	}
	return ""
}

func (m *Manager) hierarchy(controller string) *Hierarchy {
	for i := range m.record.Hierarchies {
		if h := &m.record.Hierarchies[i]; h.has(controller) || m.record.Mode == V2 {
			return h
		}
	}
	return nil
}

// drop forgets a hierarchy whose cgroup the caller may not use.
func (m *Manager) drop(h *Hierarchy) {
	for i := range m.record.Hierarchies {
		if &m.record.Hierarchies[i] == h {
			m.record.Hierarchies = append(m.record.Hierarchies[:i:i], m.record.Hierarchies[i+1:]...)
			return
		}
	}
}
