package libcontainer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/hooks"
	"oci-run/internal/crash"
	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/state"
)

// Delete removes what create made: processes, cgroup, directory. Without force only a
// container that has stopped, or was never started, is deleted.
func (c *Container) Delete(force bool) error {
	if force {
		return trace.Do("delete", c.forceDelete)
	}
	return trace.Do("delete", c.delete)
}

func (c *Container) delete() error {
	dir, err := c.lock()
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := c.status(dir)
	if err == nil && status == specs.StateRunning && c.record.Init.Dying() {
		// It was killed a moment ago, and is a container that has stopped to whoever did that.
		if err := end(c.record.Init); err != nil {
			return err
		}
		status, err = c.status(dir)
	}
	if err != nil {
		return err
	}
	if status == specs.StateCreated && c.record.StartHooks {
		if startable, err := dir.Startable(); err != nil {
			return err
		} else if !startable {
			status = starting
		}
	}
	if err := toDelete.require(c.record.ID, status); err != nil {
		return err
	}
	return c.destroy(dir, status)
}

// destroy undoes create, in the reverse order, whatever part of it there is. The record
// goes last, so that a destroy that fails or is killed can be repeated.
func (c *Container) destroy(dir *state.Dir, status specs.ContainerState) error {
	err := trace.Do("end processes", func() error { return c.endProcesses(status) })
	if err == nil {
		err = c.removeResctrlGroup()
	}
	if err == nil {
		crash.Point("ended")
		c.poststop(dir)
		crash.Point("poststop")
		err = trace.Do("remove the state", dir.Remove)
	}
	if err != nil {
		return fmt.Errorf("delete container %q: %w", c.record.ID, err)
	}
	return nil
}

// endProcesses kills what runs in the container and removes its cgroup. The end of init
// is that of all processes in its pid namespace; without one, when init may not be on
// record, and where a freezer holds signals back, the cgroup tells which to kill.
func (c *Container) endProcesses(status specs.ContainerState) error {
	cgroup, err := c.cgroup()
	if err != nil {
		return err
	}
	given := false
	if cgroup != nil && (c.record.SharedPID || c.record.Phase == state.Creating || status == Paused) {
		if given = c.given(cgroup); !given {
			if err := cgroup.Kill(); err != nil {
				return err
			}
		}
	}
	crash.Point("emptied")
	if err := c.endInit(cgroup); err != nil {
		return err
	}
	if cgroup == nil || given {
		return nil
	}
	return c.removeCgroup(cgroup)
}

// endInit ends the init process. One that a freezer holds, or that can't end because one holds a
// process of its pid namespace, needs more than the signal.
func (c *Container) endInit(cgroup *cgroups.Manager) error {
	// Most have ended by then.
	const prompt = 100 * time.Millisecond
	err := endWithin(c.record.Init, prompt)
	if cgroup == nil || !errors.Is(err, errSurvives) {
		return err
	}
	if err := cgroup.Kill(); err != nil {
		return err
	}
	if err := endWithin(c.record.Init, prompt); !errors.Is(err, errSurvives) {
		return err
	}
	_ = cgroup.LetDie(c.record.Init.PID) // somebody may have moved it into another cgroup, which is frozen
	return end(c.record.Init)
}

// How long the removal of a cgroup waits for processes that are just dying, before what is in it is
// killed, and after that.
const (
	dyingTime = 50 * time.Millisecond
	deadTime  = 5 * time.Second
)

// removeCgroup removes the container's cgroup. What is in it after the end of init was moved there,
// or came with an exec meanwhile, and nobody else can end it.
func (c *Container) removeCgroup(cgroup *cgroups.Manager) error {
	err := trace.Do("remove the cgroup", func() error { return cgroup.Destroy(dyingTime) })
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if c.given(cgroup) {
		return nil
	}
	if err := cgroup.Kill(); err != nil {
		return err
	}
	return cgroup.Destroy(deadTime)
}

// given tells whether the cgroup is another container's by now, whose processes are not to be
// killed: config.json may give two the same path, and the scope or directory of one that has ended
// is free to be taken.
func (c *Container) given(cgroup *cgroups.Manager) bool {
	if lives, err := c.record.Init.Alive(); lives || err != nil {
		return false
	}
	other := c.sharer(cgroup)
	if foreign, err := cgroup.Foreign(); other == "" && (!foreign || err != nil) { // whom systemd can't be asked about is not another's
		return false
	}
	log.Warn(fmt.Sprintf("the cgroup of container %q belongs to another container now (%s): it is left alone", c.record.ID, cmp.Or(other, "with another --root")))
	return true
}

// sharer finds another container that lives in this one's cgroup, by its ID.
func (c *Container) sharer(cgroup *cgroups.Manager) string {
	others, _, _ := (&Factory{Root: c.root}).List() // one that can't be read can't tell
	for _, other := range others {
		its, err := other.cgroup()
		if other.ID() == c.ID() || err != nil || its == nil || !its.Shares(cgroup) {
			continue
		}
		if lives, err := other.record.Init.Alive(); lives || err != nil {
			return other.ID()
		}
	}
	return ""
}

// poststop runs the poststop hooks. Their errors are logged and change nothing,
// runtime.md (Lifecycle, step 13).
func (c *Container) poststop(dir *state.Dir) {
	if !c.record.Poststop {
		return
	}
	spec, err := c.spec(dir)
	if errors.Is(err, fs.ErrNotExist) && c.record.Phase == state.Creating {
		return // it did not come to any hook
	}
	if err != nil {
		log.Warn(err.Error())
		return
	}
	if spec.Hooks == nil {
		return
	}
	hooks.RunAll("poststop", spec.Hooks.Poststop, hookState(c.record, specs.StateStopped, 0), func(err error) {
		log.Warn(c.locate(dir, initproc.HookField(err)).Error())
	})
}
