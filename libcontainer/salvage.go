package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/internal/oncejson"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/state"
	"oci-run/libcontainer/internal/syncpipe"
	"oci-run/specconv"
)

// Delete removes a container, see [Container.Delete], and what is left of one that can't be loaded.
// It returns state.ErrNotExist if there is nothing with this ID.
func (f *Factory) Delete(id string, force bool) error {
	c, err := f.Load(id)
	if force && errors.Is(err, fs.ErrPermission) {
		if c, err = nil, f.reclaim(id, err); err == nil {
			c, err = f.Load(id)
		}
	}
	if err == nil {
		err = c.Delete(force)
	}
	if errors.Is(err, state.ErrNotExist) {
		return f.unreserve(id, err)
	}
	if _, damaged := errors.AsType[*state.Unreadable](err); damaged && force {
		return f.salvage(id)
	}
	return err
}

// reclaim makes a directory readable again that is ours and has lost its mode. It returns denied if
// that is not what keeps us out.
func (f *Factory) reclaim(id string, denied error) error {
	mode, err := state.Reclaim(f.Root, id)
	if err != nil {
		return fmt.Errorf("%w (%w)", denied, err)
	}
	log.Warn(fmt.Sprintf("container %q: its directory could not be read, because it had mode %04o", id, mode))
	return nil
}

// unreserve removes what a create left that was killed before it wrote down what it would make. It
// returns missing if there is nothing of the kind.
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

// salvage ends and removes a container whose record is unreadable, by what else is known of it. If
// a process may be left, the directory stays, and with it the way to try again.
func (f *Factory) salvage(id string) error {
	dir, err := state.Lock(f.Root, id)
	if err != nil {
		return err
	}
	defer dir.Close()
	c, err := f.recall(dir)
	if err == nil {
		err = c.endUnrecorded(dir)
	}
	if err == nil {
		c.poststop(dir)
		err = dir.Remove()
	}
	if err != nil {
		return fmt.Errorf("delete container %q: %w", id, err)
	}
	return nil
}

// recall makes up for the record of a container: from the one that a newer oci-run has written, the
// one that its create began with, or its config.json.
func (f *Factory) recall(dir *state.Dir) (*Container, error) {
	_, damage := dir.Record()
	c := &Container{root: f.Root}
	var err error
	if c.record, err = dir.Later(); err == nil {
		log.Warn(fmt.Sprintf("container %q: %v: it is ended by the part of its record that each version has", dir.ID, damage))
		return c, nil
	}
	if c.record, err = dir.Intent(); err == nil {
		log.Warn(fmt.Sprintf("container %q: %v: its processes are ended by the record that its creation began with", dir.ID, damage))
		return c, nil
	}
	c.record = &state.Record{Version: state.Version, ID: dir.ID, Phase: state.Creating}
	raw, cerr := dir.Config()
	if errors.Is(err, fs.ErrNotExist) && errors.Is(cerr, fs.ErrNotExist) {
		if err := dir.Alien(); err != nil {
			return nil, fmt.Errorf("%w, so the directory %q is not a container's", err, dir.Path())
		}
		log.Warn(fmt.Sprintf("container %q: %v: nothing shows that it has a process", dir.ID, damage))
		return c, f.nobodyBy(dir.ID)
	}
	if cerr == nil {
		cerr = c.recallConfig(f, raw)
	}
	if cerr != nil {
		return nil, fmt.Errorf("its processes are unknown: %v, %w; "+
			"if there are none, remove %q", damage, cerr, dir.Path())
	}
	log.Warn(fmt.Sprintf("container %q: %v: the processes in the cgroup of its config.json are ended", dir.ID, damage))
	return c, nil
}

// nobodyBy returns an error if there are processes in a cgroup of the container's name.
func (f *Factory) nobodyBy(id string) error {
	managers, err := cgroups.Find(&specs.Spec{}, cgroups.Options{ID: id, Rootless: f.Rootless})
	if err == nil && len(managers) > 0 {
		err = fmt.Errorf("the processes in the cgroup %q may be its own", managers[0].Dir())
	}
	return err
}

// recallConfig takes what config.json tells into the record.
func (c *Container) recallConfig(f *Factory, raw []byte) error {
	spec, err := specconv.Parse(raw)
	if err != nil {
		return err
	}
	r := c.record
	r.OCIVersion, r.Annotations, r.Poststop = spec.Version, spec.Annotations, spec.Hooks != nil && len(spec.Hooks.Poststop) > 0
	r.SharedPID = true
	if spec.Linux != nil {
		_, own := namespaces.Find(spec.Linux.Namespaces, specs.PIDNamespace)
		r.SharedPID = !own
	}
	managers, err := cgroups.Find(spec, cgroups.Options{ID: r.ID, Rootless: f.Rootless})
	if err != nil || len(managers) == 0 {
		return err
	}
	if len(managers) > 1 {
		return fmt.Errorf("the cgroups %q and %q may be its own", managers[0].Dir(), managers[1].Dir())
	}
	r.Cgroup, err = oncejson.Encode(managers[0].Record())
	return err
}

// endUnrecorded ends the processes of a container whose record was made up, and nobody else's.
func (c *Container) endUnrecorded(dir *state.Dir) error {
	if err := endWaiting(dir); err != nil {
		return err
	}
	if err := c.leaveOthers(dir); err != nil {
		return err
	}
	if err := c.endProcesses(""); err != nil {
		return err
	}
	if err := c.removeResctrlGroup(); err != nil {
		return err
	}
	return c.nobodyLeft(dir)
}

// endWaiting ends the init of a container that was never started: one that hears of a start whose
// command then is gone does not wait for another.
func endWaiting(dir *state.Dir) error {
	if startable, err := dir.Startable(); err != nil || !startable {
		return nil // a damaged one tells nothing
	}
	conn, err := dir.DialStart()
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return err
	}
	starter := syncpipe.NewStarter(conn)
	defer starter.Close()
	return starter.Announce()
}

// leaveOthers looks whether those in the cgroup can be the container's, whose init began while it
// was made. If another container has come to have the same cgroup, this one has no process in it.
func (c *Container) leaveOthers(dir *state.Dir) error {
	const slack = time.Second // what the clocks of files and of processes differ by, and more
	cgroup, err := c.cgroup()
	if err != nil || cgroup == nil {
		return err
	}
	if other := c.sharer(cgroup); other != "" {
		log.Warn(fmt.Sprintf("the cgroup of container %q is also that of %q: it is left alone", c.record.ID, other))
		c.record.Cgroup, c.manager = nil, nil
		return nil
	}
	pids, err := cgroup.Pids()
	if err != nil || len(pids) == 0 {
		return err
	}
	if slices.Contains(pids, os.Getpid()) {
		return fmt.Errorf("this process is itself in its cgroup %q", cgroup.Dir())
	}
	making, err := dir.Making()
	if err != nil {
		return err
	}
	first, err := earliest(pids)
	if err != nil || !first.After(making.End.Add(slack)) || !first.After(making.Changed.Add(slack)) {
		return err
	}
	return fmt.Errorf("the processes in its cgroup %q began after it was made: pid %v", cgroup.Dir(), pids)
}

// earliest is when the first of the processes began, a time long ago if all have ended.
func earliest(pids []int) (first time.Time, err error) {
	for _, pid := range pids {
		p, err := state.Identify(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return first, err
		}
		began, err := p.Began()
		if err != nil {
			return first, err
		}
		if first.IsZero() || began.Before(first) {
			first = began
		}
	}
	return first, nil
}

// nobodyLeft returns an error if a process may be the init of a container of which no cgroup is
// known: one that began while the container was made.
func (c *Container) nobodyLeft(dir *state.Dir) error {
	const slack = 50 * time.Millisecond // processes tell when they began in ticks of 10 ms
	if c.record.Init.PID > 0 || len(c.record.Cgroup) > 0 {
		return nil
	}
	making, err := dir.Making()
	if err != nil || making.End.IsZero() {
		return err
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) { // it may be ending just now
		left, err := state.Strangers(making.Begin.Add(-slack), making.End.Add(slack), !c.record.SharedPID)
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(left, c.belongsToAnother)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d, which began when it was made, may be its own", left[0].PID)
		}
	}
}

// belongsToAnother tells whether the process is the init of another container.
func (c *Container) belongsToAnother(p state.Process) bool {
	others, _, _ := (&Factory{Root: c.root}).List()
	return slices.ContainsFunc(others, func(o *Container) bool { return o.record.Init == p })
}
