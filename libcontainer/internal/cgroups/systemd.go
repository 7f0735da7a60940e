package cgroups

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

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
func (m *Manager) planUnit(spec *specs.Spec, o Options) error {
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
	if m.annotated, err = annotatedProperties(spec.Annotations); err != nil {
		return err
	}
	if o.Rootless {
		if m.record.Mode != V2 {
			return errors.New("cannot use rootless systemd cgroups manager on cgroup v1")
		}
		base, err := m.managerCgroup()
		if err != nil {
			return err
		}
		parent = filepath.Join(base, parent)
	}
	m.record.Slice, m.record.Unit = slice, unit
	// Seen from a cgroup namespace, systemd's paths begin elsewhere; there is no systemd to talk to
	// in such a place.
	m.record.Hierarchies, err = planPaths(m.record.Mode, filepath.Join(parent, unit), "")
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

// managerCgroup asks the user's manager which cgroup it manages.
func (m *Manager) managerCgroup() (string, error) {
	c, err := m.dial()
	if err != nil {
		return "", err
	}
	defer c.Close()
	group, err := c.ManagerString("ControlGroup")
	return group, m.heard(err)
}

// How long a command waits for systemd, and for one that didn't answer before, so that it is waited
// for once. Starting a unit takes milliseconds, but seconds were seen on busy hosts, and during a
// daemon-reload systemd answers nobody.
const (
	systemdTimeout = 20 * time.Second
	muteTimeout    = 500 * time.Millisecond
)

// dial connects to the manager that has the unit.
func (m *Manager) dial() (*systemd.Conn, error) {
	timeout := systemdTimeout
	if m.mute {
		timeout = muteTimeout
	}
	c, err := systemd.Dial(m.record.Rootless, timeout)
	return c, m.heard(err)
}

// heard remembers of an answer of systemd's if there was none: what undoes the rest won't wait for
// it as long.
func (m *Manager) heard(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		m.mute = true
	}
	return err
}

// startUnit has systemd make the scope with a process in it, and prepares what systemd doesn't.
func (m *Manager) startUnit(pid int) error {
	properties, err := m.startProperties()
	if err != nil {
		return err
	}
	c, err := m.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if m.record.Invocation, err = c.StartUnit(m.record.Unit, pid, properties); err != nil {
		if systemd.Exists(err) {
			m.record.Hierarchies = nil // they are another container's, for undoing this one to leave alone
		}
		return m.heard(blameAnnotation(err))
	}
	for i := range m.record.Hierarchies {
		h := &m.record.Hierarchies[i]
		if h.unified() && m.record.Mode == V2 {
			return m.enableControllers(h)
		}
		// systemd makes directories for the controllers that it uses itself.
		if err := mkdirAll(h); err != nil {
			return err
		}
		if err := m.prepare(h); err != nil {
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
func (m *Manager) startProperties() ([]systemd.Property, error) {
	io := "IOAccounting"
	if m.record.Mode != V2 {
		io = "BlockIOAccounting"
	}
	properties := []systemd.Property{
		{Name: "Description", Value: "oci-run container " + strings.TrimSuffix(m.record.Unit, ".scope")},
		{Name: "Slice", Value: m.record.Slice},
		{Name: "Delegate", Value: true},
		{Name: "MemoryAccounting", Value: true},
		{Name: "CPUAccounting", Value: true},
		{Name: io, Value: true},
		{Name: "TasksAccounting", Value: true},
		{Name: "DefaultDependencies", Value: false},
	}
	if m.plan == nil {
		return properties, nil
	}
	early := *m.plan.early
	early.CPU = clone(early.CPU)
	early.CPU.Cpus, early.CPU.Mems = m.plan.cpus, m.plan.mems
	more, err := m.properties(&early)
	if err != nil {
		return nil, err
	}
	properties = append(properties, more...)
	for _, s := range m.plan.late.unified {
		if s.file == "memory.oom.group" { // can't be changed later, systemd 253
			properties = append(properties, systemd.Property{
				Name: "OOMPolicy", Value: map[bool]string{false: "continue", true: "kill"}[strings.TrimSpace(s.value) == "1"],
			})
		}
	}
	if !m.record.Rootless {
		properties = append(properties, deviceProperties(&m.plan.devices)...)
	}
	return append(properties, m.annotated...), nil
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

// setUnit tells systemd about limits of the running scope. What it had been told before is kept for
// restoreUnit.
func (m *Manager) setUnit(l *limits, more ...systemd.Property) error {
	properties, err := m.properties(l)
	if err != nil {
		return err
	}
	if properties = append(properties, more...); len(properties) == 0 {
		return nil
	}
	c, err := m.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if m.plan == nil { // what is being made is not restored but removed
		before, err := c.Properties(m.record.Unit, properties)
		if err != nil {
			return m.heard(err)
		}
		m.told = append(before, m.told...) // of two values the older comes last, and counts
	}
	return m.heard(c.SetProperties(m.record.Unit, properties))
}

// toldPeriod is the period that systemd was told of, or else the one in force. Without a quota
// systemd writes its default into the file, but keeps what it was told.
func (m *Manager) toldPeriod(inForce uint64) (uint64, error) {
	c, err := m.dial()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	told, err := c.Properties(m.record.Unit, []systemd.Property{{Name: "CPUQuotaPeriodUSec"}})
	if err != nil || len(told) != 1 {
		return inForce, m.heard(err)
	}
	if period, ok := told[0].Value.(uint64); ok && period != infinity {
		return period, nil
	}
	return inForce, nil
}

// restoreUnit has systemd go back to what it had been told before a change.
func (m *Manager) restoreUnit() error {
	if len(m.told) == 0 {
		return nil
	}
	c, err := m.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	var properties []systemd.Property
	for _, p := range m.told {
		if list, ok := p.Value.([][2]string); ok && len(list) > 0 {
			properties = append(properties, systemd.Property{Name: p.Name, Value: [][2]string{}}) // a list is added to
		}
		properties = append(properties, p)
	}
	m.told = nil
	return m.heard(c.SetProperties(m.record.Unit, properties))
}

// Attaches tells whether ExecAttach can do what the kernel refuses the caller.
func (m *Manager) Attaches() bool { return m.record.Driver == DriverSystemd && m.record.Mode == V2 }

// ExecAttach has systemd move process pid into the scope, or the cgroup below it that the user
// asked for, see ExecBirth. A process may only be moved by who may write to the cgroup that the old
// and the new one have above them. For a user who is not in his own manager's part of the tree, in
// a login session or a cron job, that is the system's; his manager asks the system's to do it.
//
// If no cgroup was asked for and the scope's own can't hold processes, that of process init is
// meant, see BirthBeside.
func (m *Manager) ExecAttach(below map[string]string, pid, init int) error {
	dirs, err := m.execDirs(below)
	if err != nil || len(dirs) == 0 {
		return err
	}
	c, err := m.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	h := &m.record.Hierarchies[0]
	attach := func(dir string) error {
		return c.Attach(m.record.Unit, "/"+strings.TrimPrefix(strings.TrimPrefix(dir, h.Dir()), "/"), []uint32{uint32(pid)})
	}
	if err = attach(dirs[0]); err == nil || len(below) > 0 {
		return err
	}
	is, rerr := readMembership(fmt.Sprintf("/proc/%d/cgroup", init))
	if rerr != nil || len(is) != 1 || !strings.HasPrefix(h.Mount+is[0].path, h.Dir()+"/") {
		return err
	}
	return attach(h.Mount + is[0].path)
}

// Foreign tells whether the container's scope has ended, and another container has one of the same
// name now. Only systemd knows.
func (m *Manager) Foreign() (bool, error) {
	if m.record.Invocation == "" || !m.Exists() {
		return false, nil
	}
	c, err := m.dial()
	if err != nil {
		return false, err
	}
	defer c.Close()
	foreign, err := c.Foreign(m.record.Unit, m.record.Invocation)
	return foreign, m.heard(err)
}

// stopUnit has systemd end the scope, and forget it. One whose cgroup is gone has ended by itself:
// there, that systemd can't be reached, as after a logout of the user whose manager it was, changes
// nothing. The result is that of Foreign.
func (m *Manager) stopUnit() (foreign bool, err error) {
	exists := m.Exists()
	c, err := m.dial()
	if err == nil {
		defer c.Close()
		if exists {
			foreign, err = c.StopUnit(m.record.Unit, m.record.Invocation)
		} else {
			foreign, err = c.ForgetUnit(m.record.Unit, m.record.Invocation)
		}
	}
	if err = m.heard(err); err != nil && !exists {
		slog.Debug("systemd can't forget a unit whose cgroup is gone: " + err.Error())
		err = nil
	}
	return foreign, err
}
