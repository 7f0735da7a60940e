package cgroups

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Outline is what becomes of a new container's cgroups, for people.
type Outline struct {
	Driver string `json:"driver"`
	Mode   Mode   `json:"mode"`
	Unit   string `json:"unit,omitempty"` // systemd's scope
	Slice  string `json:"slice,omitempty"`
	// Directories are the cgroup in each hierarchy.
	Directories []string `json:"directories"`
	// Left are those of which the caller is kept out, and which the container does without.
	Left []string `json:"left,omitempty"`
	// Files are what is written there, in order.
	Files []FileLine `json:"files"`
	// Properties are what systemd is told: "MemoryMax=33554432".
	Properties []string `json:"properties,omitempty"`
	// Devices are the rules for device nodes, the default first: "deny all", "allow c 1:3 rwm".
	Devices []string `json:"devices"`
	// Owner is the user id of the host that the cgroup is handed over to; nil without one.
	Owner *int `json:"owner,omitempty"`
}

// FileLine is a file of a cgroup and what is written to it.
type FileLine struct {
	Path  string `json:"path"`
	Value string `json:"value"`
	// Field is the JSON pointer of what it comes from.
	Field string `json:"field"`
	// When: before anything is in the cgroup, before the container is made, or once it is, where
	// making it takes more than the program may have.
	When string `json:"when"`
}

// denied is the error of making the cgroup in a hierarchy, as far as permission is concerned. What
// systemd makes, the caller need not be able to.
func (c *Creation) denied(h *Hierarchy) error {
	if c.record.Driver == DriverSystemd {
		return nil
	}
	if err := unix.Access(existing(h.Dir()), unix.W_OK); err != nil {
		return &fileError{Op: "mkdir", Path: h.Dir(), Err: err}
	}
	return nil
}

// Outline tells what Create, Configure, Join and Limit will do. It changes nothing.
func (c *Creation) Outline() (*Outline, error) {
	r := c.record
	o := &Outline{Driver: r.Driver, Mode: r.Mode, Unit: r.Unit, Slice: r.Slice, Directories: []string{}, Files: []FileLine{}, Devices: c.plan.devices.Describe()}
	if r.Driver == DriverDisabled {
		o.Devices = []string{}
		return o, nil
	}
	for i := range r.Hierarchies {
		h := &r.Hierarchies[i]
		if c.mayDrop(h, c.denied(h)) {
			o.Left = append(o.Left, h.Dir())
		} else {
			o.Directories = append(o.Directories, h.Dir())
		}
	}
	if len(o.Directories) == 0 {
		o.Devices = []string{}
	}
	for _, part := range [...]struct {
		limits *limits
		when   string
	}{
		{c.plan.cpusets(), "when the cgroup is made"},
		{c.plan.early, "before the container is made"},
		{c.plan.late, "once the container is made"},
	} {
		for _, w := range c.writes(part.limits) {
			o.Files = append(o.Files, FileLine{w.path(), strings.TrimRight(w.value, "\n"), w.at, part.when})
		}
	}
	if c.owner >= 0 {
		o.Owner = &c.owner
	}
	if r.Driver != DriverSystemd {
		return o, nil
	}
	properties, err := c.startProperties()
	for _, p := range properties {
		o.Properties = append(o.Properties, fmt.Sprintf("%s=%v", p.Name, p.Value))
	}
	return o, err
}
