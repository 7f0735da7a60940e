// Package cgroups puts a container into control groups and gives them its limits:
// spec.Linux.Resources ↔ the kernel's files, on cgroup v1, v2 and hybrid hosts.
//
// A container that is being made has a [Creation], from [New], which checks and plans only; the
// lifecycle stores its [Record] before it calls [Creation] to make directories, to let init in, and
// to set limits. Every later command gets a [Manager] from the record with [Open]. Each of the
// types that the two are made of has one subject and one span of life; the record, which lasts as
// long as the container, is at the bottom of all of them:
//
//	location   the record: which directories these are          the container's life
//	maker      directories, controllers, cpusets, ownership     until the container is made
//	scope      the conversation with systemd                    one command
//	applier    limits and device rules into files               one list of limits
//	update     a change of limits, all of it or none            one change
//	freezer, killer    freezing, thawing, signals
//	meter, OOMWatch    counters, and the notice of a kill
//	entrance   more processes, for an exec
//
// Directories, membership, freezing, killing, devices and statistics are done here with plain
// system calls on paths that are known without a look at the mount table. Limits are lines of one
// table (table.go): file, field, order, form, and what a refusal means.
package cgroups

import (
	"fmt"
	"strings"
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

// Manager stands for the cgroups of one container that exists: for as long as a command runs, what
// it may want of them, one part for each. It is not safe for concurrent use.
type Manager struct {
	*location // where they are
	*scope    // systemd's part in them
	applier   // limits and device rules
	killer    // signals, freezing
	meter     // counters
	entrance  // more processes
}

func managerOf(r Record) *Manager {
	at := &location{r}
	unit := &scope{location: at}
	return &Manager{at, unit, applier{at}, killer{freezer{at}}, meter{at}, entrance{at, unit}}
}

// Open gives the Manager of a container that has been created before.
func Open(r Record) (*Manager, error) {
	for _, h := range r.Hierarchies {
		if !strings.HasPrefix(h.Mount, "/") || !strings.HasPrefix(h.Path, "/") {
			return nil, fmt.Errorf("cgroup %q below %q: both must be absolute paths", h.Path, h.Mount)
		}
	}
	return managerOf(r), nil
}

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
