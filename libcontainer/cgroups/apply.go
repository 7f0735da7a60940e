package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	lib "github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/cgroups/devices"
	"oci-run/libcontainer/idmap"
)

// Configure gives the new cgroups of the container the device rules and every limit that init has room in, before it does
// any work: what it copies and starts is the container's already.
func (m *Manager) Configure() error {
	if m.plan == nil || m.record.Driver == DriverDisabled {
		return nil
	}
	if err := m.setDevices(&m.plan.devices); err != nil {
		return err
	}
	return m.write(&m.plan.early)
}

// Settled tells whether Limit has nothing to do.
func (m *Manager) Settled() bool {
	return m.plan == nil || m.record.Driver == DriverDisabled || m.record.Driver == DriverCgroupfs && m.plan.late.empty()
}

// Limit gives the container the limits that init had no room in. It comes when init has done its work and waits: its
// threads may be more than pids.limit, and with a quota of 1 % of a CPU it would take a second.
func (m *Manager) Limit() error {
	if m.plan == nil || m.record.Driver == DriverDisabled {
		return nil
	}
	m.settleIdle(&m.plan.late)
	if m.record.Mode == V2 && m.plan.late.Memory > 0 {
		if err := m.makeRoom(m.plan.late.Memory); err != nil {
			return err
		}
	}
	if m.record.Driver == DriverSystemd {
		if err := m.setUnit(&m.plan.late); err != nil {
			return err
		}
	}
	if err := m.write(&m.plan.late); err != nil {
		return err
	}
	if h := m.hierarchy("memory"); h != nil && m.record.Mode != V2 && m.joinsLate(h) && m.pid > 0 {
		return joinDir(h.Dir(), strconv.Itoa(m.pid))
	}
	return nil
}

// makeRoom has a v2 cgroup give memory back, down to a limit that is about to be set. The limit itself would have the
// kernel kill init if that is impossible; memory.high tries, and leaves it alive for an error that says more.
func (m *Manager) makeRoom(limit int64) error {
	dir := m.Path("")
	used, err := readFile(dir + "/memory.current")
	if err != nil || limitOf(used) <= limit {
		return nil // what can't be read can't be written either, which says why
	}
	if err := writeFile(dir+"/memory.high", strconv.FormatInt(limit, 10)); err != nil {
		return err
	}
	if used, err = readFile(dir + "/memory.current"); err != nil {
		return err
	}
	if limitOf(used) > limit {
		return fmt.Errorf("unable to set memory limit to %d (current usage: %s)", limit, used)
	}
	return writeFile(dir+"/memory.high", "max")
}

// write puts limits into force.
func (m *Manager) write(l *limits) error {
	if l.empty() {
		return nil
	}
	r := l.Resources
	var err error
	if m.record.Mode == V2 {
		err = m.write2(&r, l.unified)
	} else {
		err = m.write1(&r)
	}
	return m.advise(plainError(err))
}

func (m *Manager) write1(r *lib.Resources) error {
	manager, err := fs.NewManager(&lib.Cgroup{Resources: &lib.Resources{}, Rootless: m.record.Rootless}, m.paths())
	if err != nil {
		return err
	}
	return manager.Set(r)
}

// paths gives the directory of each v1 controller.
func (m *Manager) paths() map[string]string {
	paths := make(map[string]string, len(m.record.Hierarchies))
	for i := range m.record.Hierarchies {
		h := &m.record.Hierarchies[i]
		for _, c := range h.Controllers {
			paths[c] = h.Dir()
		}
	}
	return paths
}

func (m *Manager) write2(r *lib.Resources, unified []setting) error {
	dir := m.Path("")
	if dir == "" {
		return errors.New("rootless needs no limits + no cgrouppath when no permission is granted for cgroups")
	}
	manager, err := fs2.NewManager(&lib.Cgroup{Rootless: m.record.Rootless}, dir)
	if err != nil {
		return err
	}
	if err := manager.Set(r); err != nil {
		return err
	}
	// One by one: the order is then known, and the error names the file.
	for _, s := range unified {
		if err := manager.Set(&lib.Resources{Unified: map[string]string{s.file: s.value}}); err != nil {
			return err
		}
	}
	return nil
}

// plainError says which file refused which value. The library has both, in a chain of sentences.
func plainError(err error) error {
	var pe *os.PathError
	if !errors.As(err, &pe) {
		return err
	}
	if errors.Is(pe.Err, unix.ENOENT) {
		// Not the errno's words: engines take them for a program that is missing.
		dir, file := filepath.Dir(pe.Path), filepath.Base(pe.Path)
		controller, _, _ := strings.Cut(file, ".")
		return fmt.Errorf("set %q: cgroup %q has no such limit: the %s controller is not available there, or the kernel lacks it",
			file, dir, controller)
	}
	text := err.Error()
	if _, rest, ok := strings.Cut(text, `failed to write "`); ok {
		if value, _, ok := strings.Cut(rest, `": `); ok {
			fe := &FileError{Op: "write", Path: pe.Path, Value: value, Err: pe.Err}
			if head, _, _ := strings.Cut(text, `failed to write "`); strings.Contains(head, "unified") {
				return fmt.Errorf("set %s: %w", unifiedOf(pe.Path), fe)
			}
			return fe
		}
	}
	return err
}

func unifiedOf(path string) string {
	return fmt.Sprintf("unified resource %q", path[strings.LastIndexByte(path, '/')+1:])
}

// setDevices puts device rules into force. A caller without the right to set them, in a user namespace, has none to
// give away either: there, and for rootless callers, refusal is no error.
func (m *Manager) setDevices(p *devices.Policy) error {
	var err error
	if m.record.Mode == V2 {
		if dir := m.Path(""); dir != "" {
			err = setDevices2(dir, p, slices.Contains(m.made, dir))
		}
	} else if h := m.hierarchy("devices"); h != nil {
		err = p.SetV1(h.Dir())
	} else if !m.record.Rootless && !idmap.InUserNamespace() {
		err = errors.New("the devices cgroup controller is not mounted: access to devices can't be restricted")
	}
	if err != nil && (denied(err) || errors.Is(err, devices.ErrTooMany)) && (m.record.Rootless || idmap.InUserNamespace()) {
		return nil
	}
	return err
}

func setDevices2(dir string, p *devices.Policy, fresh bool) error {
	if fresh && p.AllowsAll() {
		return nil
	}
	return p.SetV2(dir, fresh)
}
