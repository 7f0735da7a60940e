// Package rdt puts containers into resctrl groups, which partition the processor's caches and
// memory bandwidth (Intel's Resource Director Technology and its relatives), as linux.intelRdt asks
// (config-linux.md, "IntelRdt"; the kernel's Documentation/filesystems/resctrl.rst).
//
// The parent uses it, while init waits for its plan.
package rdt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/specconv"
)

// Group is the resctrl group that a container asks for.
type Group struct {
	config *specs.LinuxIntelRdt
	id     string // the container's
	root   string // where resctrl is mounted
	owned  bool   // made by us
}

// New finds the group of container id. It is nil if config is: "If intelRdt is not set, the runtime
// MUST NOT manipulate any resctrl pseudo-filesystems". root is where resctrl is mounted; empty, it
// is looked up. Errors are a *specconv.FieldError.
func New(config *specs.LinuxIntelRdt, id, root string) (*Group, error) {
	g, err := find(config, id, root)
	if g == nil || err != nil {
		return nil, err
	}
	return g, g.check()
}

// Join moves process pid into the group of container id, which exists: another process of the
// container, started from outside.
func Join(config *specs.LinuxIntelRdt, id, root string, pid int) error {
	g, err := find(config, id, root)
	if err != nil {
		return err
	}
	return g.join(pid)
}

// Set writes other schemas to the group of container id; empty ones leave it as it is. undo writes
// back what was there.
func Set(config *specs.LinuxIntelRdt, id, root, l3Cache, memBw string) (undo func() error, err error) {
	g, err := find(config, id, root)
	if err != nil || g == nil {
		return nil, err
	}
	before, err := os.ReadFile(g.schemata())
	if err != nil {
		return nil, err
	}
	undo = func() error { return writeLines(g.schemata(), strings.TrimSpace(string(before))) }
	other := &Group{config: &specs.LinuxIntelRdt{ClosID: config.ClosID, L3CacheSchema: l3Cache, MemBwSchema: memBw}, id: id, root: g.root}
	if err := other.write(); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}

func find(config *specs.LinuxIntelRdt, id, root string) (*Group, error) {
	if config == nil {
		return nil, nil // no group is not an error
	}
	if root == "" {
		var err error
		if root, err = mountPoint(); err != nil {
			return nil, specconv.Field(pointer, err)
		}
	}
	return &Group{config: config, id: id, root: root}, nil
}

const pointer = "/linux/intelRdt"

// check finds what will fail: a group to join that does not exist, or one that is not as the
// schemas say.
func (g *Group) check() error {
	_, err := os.Lstat(g.path())
	switch {
	case err == nil:
		return g.compare()
	case !errors.Is(err, fs.ErrNotExist):
		return specconv.Field(pointer, err)
	case g.config.ClosID != "" && !g.writes():
		return specconv.Fieldf(pointer+"/closID", "group %q does not exist, and no schema is given to create it with: %w", g.path(), err)
	}
	g.owned = true
	return nil
}

// writes tells whether the configuration has something for the group's schemata.
func (g *Group) writes() bool {
	c := g.config
	return c.L3CacheSchema != "" || c.MemBwSchema != "" || len(c.Schemata) > 0
}

// path is the group's directory: resctrl's own root for "/", which is the default class of service.
func (g *Group) path() string {
	name := g.config.ClosID
	if name == "" {
		name = g.id
	}
	return filepath.Join(g.root, name)
}

// schemata is the file that says what the group may use.
func (g *Group) schemata() string { return filepath.Join(g.path(), "schemata") }

// monitor is the directory of the container's monitoring group.
func (g *Group) monitor() string { return filepath.Join(g.path(), "mon_groups", g.id) }

// Makes is the directory that Create makes, for the record of what a create that was killed has
// left; empty if none.
func (g *Group) Makes() string {
	switch {
	case g == nil:
		return ""
	case g.owned:
		return g.path()
	case g.config.EnableMonitoring:
		return g.monitor()
	}
	return ""
}

// Leaves is the directory that is to be removed when the container is deleted; empty if none. "If
// closID is set or the runtime has not created the sub-directory, the runtime MUST NOT remove the
// sub-directory"; the monitoring group is the container's in any case.
func (g *Group) Leaves() string {
	switch {
	case g == nil:
		return ""
	case g.owned && g.config.ClosID == "":
		return g.path()
	case g.config.EnableMonitoring:
		return g.monitor()
	}
	return ""
}

// Create makes the group, writes its schemata and moves process pid into it. What it made is to be
// removed by the caller, see [Group.Makes], also after an error. Errors are a *specconv.FieldError.
func (g *Group) Create(pid int) error {
	if g == nil {
		return nil
	}
	if g.owned {
		err := os.Mkdir(g.path(), 0o755)
		switch {
		case errors.Is(err, fs.ErrExist): // somebody else was faster
			g.owned = false
			if err := g.compare(); err != nil {
				return err
			}
		case err != nil:
			g.owned = false
			return specconv.Field(pointer, g.explain(err))
		}
	}
	if err := g.write(); err != nil {
		return err
	}
	if g.config.EnableMonitoring {
		// One that exists is left over: its name is the container's.
		if err := os.Mkdir(g.monitor(), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return specconv.Field(pointer+"/enableMonitoring", g.explain(err))
		}
	}
	return g.join(pid)
}

// write sets the schemata: "The runtimes MUST write l3CacheSchema first and memBwSchema last"; "the
// value of schemata field must be written last". Each goes in a write of its own, for the kernel
// refuses a resource twice in one.
func (g *Group) write() error {
	for _, w := range [...]struct{ field, text string }{
		{"/l3CacheSchema", g.config.L3CacheSchema},
		{"/memBwSchema", g.config.MemBwSchema},
		{"/schemata", strings.Join(g.config.Schemata, "\n")},
	} {
		if w.text == "" {
			continue
		}
		if err := writeLines(g.schemata(), w.text); err != nil {
			return specconv.Field(pointer+w.field, g.explain(err))
		}
	}
	return nil
}

// join moves process pid into the group, and the monitoring group below it.
func (g *Group) join(pid int) error {
	if g == nil {
		return nil
	}
	groups := []string{g.path()}
	if g.config.EnableMonitoring {
		groups = append(groups, g.monitor())
	}
	for _, dir := range groups {
		if err := writeLines(filepath.Join(dir, "tasks"), strconv.Itoa(pid)); err != nil {
			return specconv.Field(pointer, g.explain(err))
		}
	}
	return nil
}

// writeLine writes to a file that exists, in one system call.
func writeLines(path, lines string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(strings.TrimRight(lines, "\n") + "\n"); err != nil {
		return fmt.Errorf("write %q to %q: %w", lines, path, errors.Unwrap(err))
	}
	return f.Close()
}

// explain adds what resctrl itself says about its last error.
func (g *Group) explain(err error) error {
	status, errStatus := os.ReadFile(filepath.Join(g.root, "info", "last_cmd_status"))
	words := strings.TrimSpace(string(status))
	if errStatus != nil || words == "" || words == "ok" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, words)
}

// Remove removes a group that Makes or Leaves named. One that is gone already is not an error;
// processes in it fall back to the group above.
func Remove(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
