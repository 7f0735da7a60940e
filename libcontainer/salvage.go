package libcontainer

import (
	"errors"

	"oci-run/libcontainer/state"
)

// Delete removes a container, see [Container.Delete], and what is left of one that can't be loaded. It returns
// state.ErrNotExist if there is nothing with this ID.
func (f *Factory) Delete(id string, force bool) error {
	c, err := f.Load(id)
	if err == nil {
		err = c.Delete(force)
	}
	if errors.Is(err, state.ErrNotExist) {
		return f.unreserve(id, err)
	}
	return err
}

// unreserve removes what a create left that was killed before it wrote down what it would make. It returns missing if
// there is nothing of the kind.
func (f *Factory) unreserve(id string, missing error) error {
	dir, err := state.TryLock(f.Root, id)
	if err != nil {
		return missing // a create may have begun meanwhile
	}
	defer dir.Close()
	if r, err := dir.Record(); err != nil || r.Phase != state.Creating || r.Creator.PID != 0 {
		return missing
	}
	return dir.Remove()
}
