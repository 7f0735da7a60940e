// Package libcontainer holds the lifecycle of a container, as its commands see it: a
// Factory makes containers from bundles and finds existing ones, a Container is started,
// signalled, asked for its state and deleted. It is the parent's side of everything; what
// happens inside the container is package initproc.
//
// Every method that changes a container takes its lock, does one thing, and leaves a
// record with which the next command can go on, however this one ends.
package libcontainer

import (
	"errors"
	"fmt"
	"slices"

	"oci-run/internal/oncejson"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/state"
)

// Factory makes and finds the containers below one root directory.
type Factory struct {
	// Root holds a directory per container.
	Root string
	// CgroupDriver is one of the drivers of package cgroups.
	CgroupDriver string
	// Rootless tolerates what an ordinary user may not do and nobody asked for.
	Rootless bool
}

// Container is an existing container, as its record stood when it was loaded.
type Container struct {
	root    string
	record  *state.Record
	manager *cgroups.Manager // of its cgroup, once it is needed
}

// Load finds a container. It returns state.ErrNotExist if there is none with this ID.
func (f *Factory) Load(id string) (*Container, error) {
	dir, err := state.Open(f.Root, id)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	record, err := dir.Record()
	if err != nil {
		return nil, unreadable(id, err)
	}
	return &Container{root: f.Root, record: record}, nil
}

// unreadable says whose record it is that couldn't be read, and what can be done.
func unreadable(id string, err error) error {
	if _, ok := errors.AsType[*state.Unreadable](err); ok {
		return fmt.Errorf("container %q: %w (delete --force ends and removes it)", id, err)
	}
	return fmt.Errorf("container %q: %w", id, err)
}

// List finds all containers, sorted by ID. One that is deleted meanwhile is left out, one
// whose record can't be read is among the errors in broken.
func (f *Factory) List() (found []*Container, broken []error, err error) {
	ids, err := state.List(f.Root)
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(ids)
	for _, id := range ids {
		c, err := f.Load(id)
		switch {
		case err == nil:
			found = append(found, c)
		case !errors.Is(err, state.ErrNotExist):
			broken = append(broken, err)
		}
	}
	return found, broken, nil
}

// ID is the container's name.
func (c *Container) ID() string { return c.record.ID }

// lock opens the container's directory under its lock.
func (c *Container) lock() (*state.Dir, error) {
	return c.current(state.Lock(c.root, c.record.ID))
}

// refresh reads the record again if it has changed since the container was loaded.
func (c *Container) refresh(dir *state.Dir) error {
	if dir.Current(c.record) {
		return nil
	}
	record, err := dir.Record()
	if err != nil {
		return unreadable(c.record.ID, err)
	}
	c.record, c.manager = record, nil
	return nil
}

// dir opens the container's directory without its lock.
func (c *Container) dir() (*state.Dir, error) { return state.Open(c.root, c.record.ID) }

// cgroup opens what the record says about the container's cgroup. It is nil for a
// container that has none.
func (c *Container) cgroup() (*cgroups.Manager, error) {
	if c.manager != nil || len(c.record.Cgroup) == 0 {
		return c.manager, nil
	}
	var r cgroups.Record
	if err := oncejson.Decode(c.record.Cgroup, &r); err != nil {
		return nil, fmt.Errorf("container %q: parse its cgroup record: %w", c.record.ID, err)
	}
	var err error
	c.manager, err = cgroups.Open(r)
	return c.manager, err
}
