package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/hooks"
	"oci-run/internal/crash"
	"oci-run/internal/files"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/libcontainer/internal/state"
	"oci-run/libcontainer/internal/syncpipe"
	"oci-run/specconv"
)

// Start has a created container execute its program, and returns when it does, or with
// the reason why it does not; then its process has ended. The poststart hooks run after
// that; if one fails the container is destroyed, runtime.md (Lifecycle, steps 9, 12 and 13).
func (c *Container) Start() error {
	dir, err := c.lock()
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := c.status(dir)
	if err != nil {
		return err
	}
	if err := toStart.require(c.record.ID, status); err != nil {
		if startable, serr := dir.Startable(); status == specs.StateStopped && serr == nil && startable {
			err = c.blameLimit(dir, err)
		}
		return err
	}
	if c.record.NoProcess {
		return c.noProcess(dir)
	}
	starter, err := c.announce(dir)
	if err != nil {
		return err
	}
	defer starter.Close()
	root, tree, err := c.openRoot() // which is gone with init
	defer closeAll(root, tree)
	if err == nil {
		err = starter.Start(func(f *os.File) error { return c.seccompAgent(dir, f) }, c.leaderless)
	}
	if err != nil {
		starter.Close() // on which init ends that waits for us
		return errors.Join(c.explainStart(dir, c.explainRefused(dir, root, err)), awaitFailed(c.record.Init))
	}
	if err := ranProgram(c.record.Init); err != nil {
		return c.explainStart(dir, err)
	}
	return c.poststart(dir)
}

// announce tells init that it is being started, and takes the start channel's name away.
func (c *Container) announce(dir *state.Dir) (*syncpipe.Starter, error) {
	conn, err := dir.DialStart()
	if errors.Is(err, fs.ErrNotExist) { // and who started it was killed
		return nil, toStart.require(c.record.ID, starting)
	}
	if err != nil {
		return nil, fmt.Errorf("container %q: %w", c.record.ID, err)
	}
	starter := syncpipe.NewStarter(conn)
	starter.From("init", c.record.Init.PID)
	starter.Spans = c.record.StartHooks // with which init is never a list of calls
	crash.Point("connect")
	if err := starter.Announce(); err != nil {
		starter.Close()
		return nil, err
	}
	crash.Point("announce")
	// From here on the container is started or dead, never again created, unless that can't be told
	// to later commands.
	if err := dir.CloseStart(); err != nil {
		err = fmt.Errorf("container %q: %w", c.record.ID, err)
		if !errors.Is(err, fs.ErrNotExist) {
			err = errors.Join(err, starter.Withdraw())
		}
		starter.Close()
		return nil, err
	}
	crash.Point("unlink")
	return starter, nil
}

// openRoot opens the container's root as init has it, and the mount namespace, without which the
// mounts below the root end with init. It returns nil where they may not be seen, which only
// explanations need.
func (c *Container) openRoot() (root, tree *os.File, err error) {
	proc := "/proc/" + strconv.Itoa(c.record.Init.PID)
	if root, err = files.Open(proc+"/root", unix.O_PATH|unix.O_DIRECTORY, 0); err == nil {
		tree, err = files.Open(proc+"/ns/mnt", unix.O_RDONLY, 0)
	}
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return root, tree, err
}

// explainRefused says why a program can't be executed that an init which is a list of calls has
// tried to.
func (c *Container) explainRefused(dir *state.Dir, root *os.File, err error) error {
	refused, ok := errors.AsType[*syncpipe.Refused](err)
	if !ok || refused.Path == "" {
		return err
	}
	hint, plan := "", &process.Plan{At: "/process"}
	if root != nil {
		spec, err := c.spec(dir)
		if err != nil {
			return errors.Join(refused, err)
		}
		if plan, err = process.NewPlan(spec.Process, spec, "/process"); err != nil {
			return errors.Join(refused, err)
		}
		hint = program.Hint(plan, process.Root{Dir: root}, refused.Path, refused.Errno)
	}
	return program.ExecFailure(plan, refused.Path, refused.Errno, hint)
}

// awaitFailed waits for the end of an init that has given up, so that whoever is told of the
// failure finds a container that has stopped. One that takes long over it is killed.
func awaitFailed(init state.Process) error {
	fd, err := init.PidFD()
	if err == nil {
		if err = living(init); err == nil {
			err = awaitEnd(fd, init.PID, time.Second)
		}
		unix.Close(fd)
	}
	if err == nil || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return end(init)
}

// noProcess is the error of a start without a process, with its place in config.json.
func (c *Container) noProcess(dir *state.Dir) error {
	raw, err := dir.Config()
	if err != nil {
		return fmt.Errorf("container %q: %w", c.record.ID, err)
	}
	return fmt.Errorf("container %q: %w", c.record.ID, c.bundle(raw).Locate(specconv.NoProcess()))
}

// bundle is what errors about the container's configuration are located in.
func (c *Container) bundle(raw []byte) *specconv.Bundle {
	return &specconv.Bundle{Raw: raw, Name: c.record.Document}
}

// locate gives an error of init its place in the configuration that the container was created with.
func (c *Container) locate(dir *state.Dir, err error) error {
	err = syncpipe.Located(err)
	if raw, rerr := dir.Config(); rerr == nil { // without it the error still has the field
		return c.bundle(raw).Locate(err)
	}
	return err
}

// explainStart says of an init that didn't become the program what is known about it here: a memory
// limit that has killed it, and the place in config.json, which is that of what refuses execve
// where the seccomp profile has kept it from telling more.
func (c *Container) explainStart(dir *state.Dir, err error) error {
	if spec, serr := c.spec(dir); serr == nil && spec.Linux != nil {
		verdict := seccomp.ExecVerdict(spec.Linux.Seccomp)
		if _, refused := errors.AsType[profileError](err); refused && verdict.Pointer != "" {
			err = specconv.Field(verdict.Pointer, err)
		}
		err = program.Refused(err, verdict.Gives, verdict.Pointer)
	}
	return c.locate(dir, c.blameLimit(dir, err))
}

// blameLimit adds to the error of an init that didn't become the program that the memory limit has
// killed it, if it has.
func (c *Container) blameLimit(dir *state.Dir, err error) error {
	cgroup, cerr := c.cgroup()
	if cerr != nil || cgroup == nil {
		return err
	}
	oom := cgroup.ExplainOOM()
	if oom == nil {
		return err
	}
	if spec, serr := c.spec(dir); serr == nil {
		oom = fieldOfMemory(spec, oom)
	}
	return c.locate(dir, fmt.Errorf("%w: %w", err, oom))
}

// fieldOfMemory gives an error about the memory limit in force its field, if it is the one of the
// configuration: an update may have changed it, and one of a cgroup above may have killed.
func fieldOfMemory(spec *specs.Spec, err error) error {
	oom, ok := errors.AsType[*cgroups.OOMError](err)
	if !ok || spec.Linux == nil || spec.Linux.Resources == nil {
		return err
	}
	const unified = "memory.max"
	if r := spec.Linux.Resources; r.Unified[unified] == oom.Limit {
		return specconv.Field("/linux/resources/unified/"+unified, err)
	} else if r.Memory != nil && r.Memory.Limit != nil && wholePages(*r.Memory.Limit) == oom.Limit {
		return specconv.Field("/linux/resources/memory/limit", err)
	}
	return err
}

// wholePages writes a size as the kernel takes it for a limit.
func wholePages(size int64) string {
	page := int64(os.Getpagesize())
	return strconv.FormatInt(size/page*page, 10)
}

// poststart runs the poststart hooks, and destroys the container if one fails.
func (c *Container) poststart(dir *state.Dir) error {
	if !c.record.Poststart {
		return nil
	}
	spec, err := c.spec(dir)
	if err != nil {
		return err
	}
	if spec.Hooks == nil {
		return nil
	}
	err = hooks.Run("poststart", spec.Hooks.Poststart, hookState(c.record, specs.StateRunning, c.record.Init.PID))
	if err == nil || errors.Is(dir.Linked(), state.ErrNotExist) { // a forced delete didn't wait for the hook
		return err
	}
	err = c.locate(dir, initproc.HookField(err))
	return errors.Join(err, c.destroy(dir, specs.StateRunning))
}

// spec parses the config.json that the container was created with.
func (c *Container) spec(dir *state.Dir) (*specs.Spec, error) {
	raw, err := dir.Config()
	if err != nil {
		return nil, fmt.Errorf("container %q: %w", c.record.ID, err)
	}
	return specconv.Parse(raw)
}

// seccompAgent hands the listener of a filter with SCMP_ACT_NOTIFY to the agent that
// config.json names.
func (c *Container) seccompAgent(dir *state.Dir, listener *os.File) error {
	spec, err := c.spec(dir)
	if err != nil {
		return err
	}
	s := hookState(c.record, specs.StateCreated, c.record.Init.PID)
	return seccomp.SendListener(spec.Linux.Seccomp.ListenerPath, int(listener.Fd()), &specs.ContainerProcessState{
		Version: specs.Version, Pid: c.record.Init.PID, Metadata: spec.Linux.Seccomp.ListenerMetadata, State: *s,
	})
}
