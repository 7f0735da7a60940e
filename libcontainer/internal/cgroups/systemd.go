package cgroups

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/cgroups/devices"
	"oci-run/libcontainer/internal/cgroups/systemd"
	"oci-run/specconv"
)

// unitPrefix begins the names of scopes of containers without a linux.cgroupsPath.
const unitPrefix = "oci-run"

// planUnit works out the scope unit and its place from linux.cgroupsPath, which is
// slice:prefix:name here.
func (c *Creation) planUnit(spec *specs.Spec, o Options) error {
	cgroupsPath := ""
	if spec.Linux != nil {
		cgroupsPath = spec.Linux.CgroupsPath
	}
	slice, unit, err := parseUnitPath(cgroupsPath, o.ID)
	if err != nil {
		return specconv.Field("/linux/cgroupsPath", err)
	}
	if slice == "" {
		slice = map[bool]string{false: "system.slice", true: "user.slice"}[o.Rootless]
	}
	parent, err := expandSlice(slice)
	if err != nil {
		return specconv.Field("/linux/cgroupsPath", err)
	}
	if c.annotated, err = annotatedProperties(spec.Annotations); err != nil {
		return err
	}
	if o.Rootless {
		if c.record.Mode != V2 {
			return errors.New("cannot use rootless systemd cgroups manager on cgroup v1")
		}
		base, err := c.managerCgroup()
		if err != nil {
			return err
		}
		parent = filepath.Join(base, parent)
	}
	c.record.Slice, c.record.Unit = slice, unit
	// Seen from a cgroup namespace, systemd's paths begin elsewhere; there is no systemd to talk to
	// in such a place.
	c.record.Hierarchies, err = planPaths(c.record.Mode, filepath.Join(parent, unit), "")
	return err
}

// parseUnitPath reads "slice:prefix:name". Without a path, the name is the container's id.
func parseUnitPath(path, id string) (slice, unit string, err error) {
	prefix, name := unitPrefix, id
	if path != "" {
		parts := strings.Split(path, ":")
		if len(parts) != 3 {
			return "", "", fmt.Errorf("expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got %q instead", path)
		}
		slice, prefix, name = parts[0], parts[1], parts[2]
	}
	if strings.HasSuffix(name, ".slice") {
		return "", "", fmt.Errorf("%q is a slice, which can't hold a container", name)
	}
	if prefix != "" {
		name = prefix + "-" + name
	}
	unit = name + ".scope"
	if name == "" || len(unit) > 255 || strings.Trim(unit, unitCharacters) != "" {
		return "", "", fmt.Errorf("%q is not the name of a systemd unit", unit)
	}
	return slice, unit, nil
}

// unitCharacters are those that systemd.unit(5) allows in a unit's name.
const unitCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.\\-@"

// expandSlice gives the path of a slice: a-b.slice is in a.slice, and "-.slice" is the root
// (systemd.slice(5)).
func expandSlice(slice string) (string, error) {
	name, ok := strings.CutSuffix(slice, ".slice")
	if !ok || name == "" || strings.Contains(name, "/") {
		return "", fmt.Errorf("invalid slice name: %s", slice)
	}
	if name == "-" {
		return "/", nil
	}
	path, prefix := "", ""
	for part := range strings.SplitSeq(name, "-") {
		if part == "" {
			return "", fmt.Errorf("invalid slice name: %s", slice)
		}
		path += "/" + prefix + part + ".slice"
		prefix += part + "-"
	}
	return path, nil
}

// startUnit has systemd make the scope with a process in it, and prepares what systemd doesn't.
func (c *Creation) startUnit(pid int) error {
	properties, err := c.startProperties()
	if err != nil {
		return err
	}
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	if c.record.Invocation, err = conn.StartUnit(c.record.Unit, pid, properties); err != nil {
		if systemd.Exists(err) {
			c.record.Hierarchies = nil // they are another container's, for undoing this one to leave alone
		}
		return c.heard(blameAnnotation(err))
	}
	for i := range c.record.Hierarchies {
		h := &c.record.Hierarchies[i]
		if h.unified() && c.record.Mode == V2 {
			return c.enableControllers(h)
		}
		// systemd makes directories for the controllers that it uses itself.
		if err := mkdirAll(h); err != nil {
			return err
		}
		if err := c.prepare(h); err != nil {
			return err
		}
	}
	return nil
}

// blameAnnotation gives the error about a property that an annotation asks for the annotation's
// place.
func blameAnnotation(err error) error {
	if old := (*systemd.OldError)(nil); errors.As(err, &old) {
		return specconv.Field(old.At, err)
	}
	return err
}

func mkdirAll(h *Hierarchy) error {
	err := mkdir(h.Dir())
	if errors.Is(err, unix.ENOENT) && h.Path != "/" {
		if err := mkdirAll(&Hierarchy{h.Controllers, h.Mount, filepath.Dir(h.Path)}); err != nil {
			return err
		}
		err = mkdir(h.Dir())
	}
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// startProperties are the properties that the scope begins with. Delegate keeps systemd's hands off
// what is below. A scope that fails stays for people to look at until the container is deleted.
func (c *Creation) startProperties() ([]systemd.Property, error) {
	io := "IOAccounting"
	if c.record.Mode != V2 {
		io = "BlockIOAccounting"
	}
	properties := []systemd.Property{
		{Name: "Description", Value: "oci-run container " + strings.TrimSuffix(c.record.Unit, ".scope")},
		{Name: "Slice", Value: c.record.Slice},
		{Name: "Delegate", Value: true},
		{Name: "MemoryAccounting", Value: true},
		{Name: "CPUAccounting", Value: true},
		{Name: io, Value: true},
		{Name: "TasksAccounting", Value: true},
		{Name: "DefaultDependencies", Value: false},
	}
	early := *c.plan.early
	early.CPU = clone(early.CPU)
	early.CPU.Cpus, early.CPU.Mems = c.plan.cpus, c.plan.mems
	more, err := c.properties(&early)
	if err != nil {
		return nil, err
	}
	properties = append(properties, more...)
	for _, s := range c.plan.late.unified {
		if s.file == "memory.oom.group" { // can't be changed later, systemd 253
			properties = append(properties, systemd.Property{
				Name: "OOMPolicy", Value: map[bool]string{false: "continue", true: "kill"}[strings.TrimSpace(s.value) == "1"],
			})
		}
	}
	if !c.record.Rootless {
		properties = append(properties, deviceProperties(&c.plan.devices)...)
	}
	return append(properties, c.annotated...), nil
}

// deviceProperties are the device rules in systemd's terms. systemd writes them into force again at
// a daemon-reload, so it has to know them; the exact rules, which it can't say all of, are set by
// ourselves afterwards.
func deviceProperties(p *devices.Policy) []systemd.Property {
	if p.AllowsByDefault() {
		return []systemd.Property{{Name: "DevicePolicy", Value: "auto"}, {Name: "DeviceAllow", Value: [][2]string{}}}
	}
	return []systemd.Property{
		{Name: "DevicePolicy", Value: "strict"},
		{Name: "DeviceAllow", Value: [][2]string{}}, // clears the list
		{Name: "DeviceAllow", Value: p.SystemdRules()},
	}
}
