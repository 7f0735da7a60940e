package libcontainer

import (
	"errors"
	"fmt"
	"slices"

	"oci-run/internal/oncejson"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/state"
)

// Factory makes and finds the containers below one root directory. It is a value without state:
// any number of factories, in any number of processes, may have the same Root, and all its methods
// may be called at the same time but for what the package's comment says of Create and Restore.
//
// Create or Restore comes first in a container's life; Load finds it from then on, in this process
// or another, until Delete.
type Factory struct {
	// Root is the absolute path of the directory that holds a directory per container. It is made
	// with the first container, mode 0700. [DefaultRoot] is that of the commands.
	Root string
	// CgroupDriver is DriverCgroupfs, DriverSystemd or DriverDisabled. Only Create and Restore look
	// at it: which cgroups a container has is on its record.
	CgroupDriver string
	// Rootless tolerates what an ordinary user may not do and the configuration did not ask for,
	// above all to make a cgroup. [Unprivileged] is the commands' way to decide.
	Rootless bool
}

// Container is an existing container, as its record was when it was loaded.
//
// The order of its life: Create (or Restore, after which it runs), Start, then Exec, Pause, Resume,
// Update, Kill, Checkpoint in any order, and Delete. A method that takes the lock (Start, Pause,
// Resume, Update, Checkpoint, Delete) reads the record again under it, so that it acts on the
// container as it is and not as it was; status does so where the record as it was says "stopped".
// Then a container that was deleted meanwhile is ErrNotExist, and one that was made anew is the new
// one: the name counts.
//
// It is a small value without descriptors: there is nothing to close. One goroutine uses it at a
// time; another loads it again.
type Container struct {
	root    string           // of its factory
	record  *state.Record    // as it was read last; replaced, never changed, by refresh
	manager *cgroups.Manager // of the record's cgroup, once it is needed
}

// Load finds a container. It returns [ErrNotExist] if there is none with this ID.
func (f *Factory) Load(id string) (_ *Container, err error) {
	span := trace.Begin("load the container")
	defer func() { span.End(err) }()
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

// List finds all containers, sorted by ID. One that is deleted meanwhile is left out, one whose
// record can't be read is among the errors in broken. A Root that does not exist is fs.ErrNotExist.
func (f *Factory) List() (found []*Container, broken []error, err error) {
	ids, err := f.IDs()
	if err != nil {
		return nil, nil, err
	}
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

// IDs lists the names of all containers, sorted, those whose record can't be read too. A Root that
// does not exist is fs.ErrNotExist.
func (f *Factory) IDs() ([]string, error) {
	ids, err := state.List(f.Root)
	slices.Sort(ids)
	return ids, err
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
