package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/crash"
	"oci-run/internal/log"
	"oci-run/internal/oncejson"
	"oci-run/internal/thread"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/fdsocket"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/sdnotify"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/libcontainer/internal/spawn"
	"oci-run/libcontainer/internal/state"
	"oci-run/libcontainer/internal/syncpipe"
	"oci-run/specconv"
)

// CreateOptions is what `create` and `run` ask for beyond the bundle. The zero value is a create
// without any option.
//
// ConsoleSocket is needed if and only if process.terminal is true: the terminal's master is on its
// way over it before Create returns. The files stay the caller's, who closes them after Create.
type CreateOptions struct {
	PIDFile       string   // gets init's pid, written atomically once the container stands
	ConsoleSocket *os.File // socket that gets the terminal's master; nil without a terminal
	PidfdSocket   string   // path of the socket that gets init's pidfd
	PreserveFDs   int      // so many fds from 3 on are handed to the container's process
	NoPivot       bool     // change the root with MS_MOVE and chroot
	Seal          string   // how init's binary is sealed: "mount" (or ""), or "memfd", a copy in memory
	NoNewKeyring  bool     // stay in the caller's session keyring
	Foreground    bool     // the terminal's master goes to a relay of ours, not to an engine
	Env           []string // variables added to process.env, such as LISTEN_FDS
	Notify        bool     // the container gets a socket for sd_notify(3), see NotifySocket
	Starts        bool     // [Created.Start] follows at once: the container is never one that waits for a start command
}

// creation is a create on its way. What it did is undone if it does not succeed.
//
// Create calls, in this order: newPlan, prepare (what ends with the process, whatever happens),
// state.Reserve (from here on dir holds the lock), make (the steps, each of which may fail), and
// created (what outlives the creation is handed on) or undo; close comes last in any case. The
// fields are set in the order in which they stand in those steps: record by recordIntent, init by
// spawn, stands by stage, while init is busy. From commit on the record on disk is stands; "ahead"
// is a commit that came before init was ready (docs/design/glossary.md has the table).
//
// Init inherits the lock and closes it when it hears that the create has committed: should this
// process be killed before, the lock is free only when init is gone too.
type creation struct {
	factory *Factory
	bundle  *specconv.Bundle
	options *CreateOptions
	plan    *plan
	dir     *state.Dir
	record  *state.Record
	stands  *state.Record // what takes its place, as soon as init is ready
	ahead   bool          // it has done so before
	init    *spawn.Process
	way     way           // what init is, and how we speak with it
	thread  *thread.Spare // in namespaces of the container's, nil if nobody needs one
	network network
}

// Create makes a container from a bundle, up to the point where its program waits to be started. If
// it fails, nothing of the container is left. A bundle is good for one Create, which completes its
// Spec.
func (f *Factory) Create(id string, b *specconv.Bundle, o *CreateOptions) (created *Created, err error) {
	span := trace.Begin("create")
	defer func() { span.End(err) }()
	if err := state.CheckFree(f.Root, id); err != nil {
		return nil, err
	}
	c := &creation{factory: f, bundle: b, options: o}
	defer c.endThread()
	defer c.network.close()
	if ownNetwork(b.Spec.Linux.Namespaces) {
		c.thread = thread.New()
		c.network.made = namespaces.NewNetwork(c.thread)
	}
	if c.plan, err = f.newPlan(id, b, o); err != nil {
		return nil, b.Locate(err)
	}
	defer c.plan.close()
	defer c.close()
	if c.plan.noted {
		for _, err := range seccomp.Misspelt(b.Spec.Linux.Seccomp) {
			log.Warn(b.Locate(err).Error())
		}
	}
	if err := trace.Do("prepare", c.prepare); err != nil {
		return nil, err
	}
	if c.dir, err = state.Reserve(f.Root, id); err != nil {
		return nil, err
	}
	if err := c.make(); err != nil {
		if undo := trace.Do("undo", c.undo); undo != nil {
			log.Warn(undo.Error())
		}
		return nil, b.Locate(err)
	}
	return c.created(), nil
}

func (c *creation) endThread() {
	if c.thread != nil {
		c.thread.End()
		c.thread = nil
	}
}

// close lets go of the lock and of init, which notices if there was no commit, unless they
// were handed on.
func (c *creation) close() {
	if c.way != nil {
		c.way.close()
	}
	if c.init != nil {
		c.init.Release()
	}
	if c.dir != nil {
		c.dir.Close()
	}
}

// prepare makes what ends with us, whatever happens. That there are descriptors enough is looked at
// before any is opened: Go's runtime ends a process that it can't have its own of.
func (c *creation) prepare() error {
	nofile, err := process.CallerNofile()
	if err != nil {
		return err
	}
	c.plan.init.Process.CallerNofile, c.plan.spawn.Nofile = nofile, nofile
	return c.choose()
}

// make is the order of a create: first the record of what will be done, then the doing.
func (c *creation) make() error {
	crash.Point("reserved")
	for _, s := range [...]struct {
		name string
		run  func(*creation) error
	}{
		{"intent", (*creation).recordIntent},
		{"cgroup", (*creation).makeCgroup},
		{"spawn", (*creation).spawn},
		{"confine", (*creation).confine},
		{"resctrl", (*creation).makeResctrlGroup},
		{"devices", (*creation).moveDevices},
		{"serve", (*creation).serve},
		{"limit", (*creation).limit},
		{"commit", (*creation).commit},
	} {
		if err := trace.Do(s.name, func() error { return s.run(c) }); err != nil {
			return err
		}
		crash.Point(s.name)
	}
	return nil
}

// recordIntent writes down what the following steps will make.
func (c *creation) recordIntent() error {
	self, err := state.Self()
	if err != nil {
		return err
	}
	cgroup, err := oncejson.Encode(c.plan.cgroup.Record())
	if err != nil {
		return fmt.Errorf("encode the cgroup record: %w", err)
	}
	spec := c.bundle.Spec
	c.record = &state.Record{
		ID: c.dir.ID, Phase: state.Creating, OCIVersion: spec.Version, Bundle: c.bundle.Dir, Rootfs: spec.Root.Path,
		Created: time.Now().UTC(), Creator: self, Cgroup: cgroup, Annotations: spec.Annotations,
		SharedPID: c.plan.sharedPID, IntelRdt: c.plan.resctrl.Makes(), Stdio: stdioPipes(),
	}
	c.record.NoProcess = !c.bundle.HasProcess()
	c.record.Document = c.bundle.Document()
	if spec.Hooks != nil {
		c.record.StartHooks = len(spec.Hooks.StartContainer) > 0
		c.record.Poststart = len(spec.Hooks.Poststart) > 0
		c.record.Poststop = len(spec.Hooks.Poststop) > 0
	}
	if c.options.Notify {
		if err := sdnotify.MakeDir(sdnotify.Dir(c.dir.Path())); err != nil {
			return err
		}
	}
	return c.dir.Save(c.record)
}

// makeCgroup makes the cgroup. For a user without privileges that may turn out to be one
// in fewer hierarchies than planned.
func (c *creation) makeCgroup() error {
	planned := len(c.plan.cgroup.Hierarchies())
	if err := c.plan.cgroup.Create(); err != nil {
		return err
	}
	c.plan.init.Root.Cgroups = visibleCgroups(c.plan.cgroup.Manager)
	if len(c.plan.cgroup.Hierarchies()) == planned {
		return nil
	}
	return c.recordCgroup()
}

// recordCgroup puts into the record what has become of the cgroup since it was planned.
func (c *creation) recordCgroup() error {
	cgroup, err := oncejson.Encode(c.plan.cgroup.Record())
	if err != nil {
		return fmt.Errorf("encode the cgroup record: %w", err)
	}
	c.record.Cgroup = cgroup
	return nil
}

// visibleCgroups is what a mount of type cgroup shows.
func visibleCgroups(m *cgroups.Manager) []rootfs.Hierarchy {
	hierarchies := m.Hierarchies()
	list := make([]rootfs.Hierarchy, 0, len(hierarchies))
	for _, h := range hierarchies {
		list = append(list, rootfs.Hierarchy{
			V2: len(h.Controllers) == 0, Name: h.Name(), Options: h.Controllers, Mount: h.Mount, Path: h.Dir(),
		})
	}
	return list
}

// spawn starts init. It inherits the lock, so that as long as it has not heard that we
// committed, nobody takes the container for an abandoned one while init still runs.
func (c *creation) spawn() error {
	request := c.plan.spawn
	c.network.join(&request)
	request.Inherit = 3 + c.options.PreserveFDs
	birth := c.plan.cgroup.Birth()
	defer birth.Close()
	request.Cgroup, request.Tasks = birth.Unified, birth.Tasks
	if err := c.way.spawn(c, &request); err != nil {
		return c.refused(err)
	}
	crash.Point("cloned")
	var err error
	if c.record.Init, err = state.Identify(c.init.PID); err != nil {
		return err
	}
	if len(c.plan.cgroup.Hierarchies()) > 0 && !c.plan.init.RuntimeHooks {
		return nil // who has to find init finds it in its cgroup
	}
	return c.dir.Save(c.record)
}

// refused says which field a clone that the kernel refused is about.
func (c *creation) refused(err error) error {
	list := c.bundle.Spec.Linux.Namespaces
	r, ok := errors.AsType[*spawn.CloneError](err)
	switch {
	case !ok && errors.Is(err, unix.EACCES):
		return c.plan.cgroup.Blame(err)
	case !ok || r.New == 0 || r.Errno == unix.EAGAIN || r.Errno == unix.ENOSYS:
		return err
	}
	if missing := namespaces.Missing(list); r.Errno == unix.EINVAL && missing != nil {
		return missing
	}
	try := spawn.Try
	if r.Inside { // from here, they would belong to another user namespace
		try = func(uintptr) error { return nil }
	}
	if blamed := namespaces.Blame(list, r.New, r.Errno, try); blamed != nil && (r.Errno != unix.EPERM || !ordinary(r.New)) {
		return blamed
	}
	return specconv.Field("/linux/namespaces", err)
}

// ordinary tells whether somebody without privileges wants namespaces without a user namespace,
// which is about all of them.
func ordinary(flags uintptr) bool { return flags&unix.CLONE_NEWUSER == 0 && !spawn.Privileged() }

// confine puts init, which waits for its plan, into its cgroup and limits.
func (c *creation) confine() error {
	if err := c.plan.cgroup.Join(c.init.PID); err != nil {
		return err
	}
	if c.plan.cgroup.Record().Invocation != "" {
		if err := c.recordCgroup(); err != nil {
			return err
		}
	}
	crash.Point("joined")
	if err := c.plan.cgroup.Configure(); err != nil {
		return err
	}
	return adjust(&c.plan.init.Process, c.init.PID)
}

// serve sees init through until it is ready.
func (c *creation) serve() error {
	err := c.way.serve(c)
	if errors.Is(err, syncpipe.ErrClosed) {
		return c.explainEnd()
	}
	return err
}

// closeAll closes the files, of which some may be nil.
func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// keep keeps what later commands need. Before this, no hook runs.
func (c *creation) keep() error {
	if err := c.dir.SaveConfig(c.bundle.Raw); err != nil {
		return err
	}
	if filter := c.plan.init.Seccomp; filter != nil {
		if err := c.dir.SaveFilter(filter.Store()); err != nil {
			return err
		}
	}
	return nil
}

// stage prepares the commit, while init is busy.
func (c *creation) stage() error {
	if err := c.keep(); err != nil {
		return err
	}
	stands := *c.record
	stands.Phase, stands.IntelRdt, stands.Ahead = state.Created, c.plan.resctrl.Leaves(), c.unattended()
	c.stands = &stands
	if err := c.dir.Stage(c.stands); err != nil || !stands.Ahead {
		return err
	}
	c.ahead = true
	if err := c.dir.Commit(c.stands); err != nil {
		return err
	}
	c.record = c.stands
	if err := c.way.committed(); !errors.Is(err, syncpipe.ErrClosed) {
		return err
	}
	return nil // init has failed already, and what it said is still to be received
}

// unattended tells whether init can go on to its program by itself: it asks us for nothing on
// the way, and between its being ready and its start there is nothing to do. Then the commit
// comes as soon as init has its plan, and saves it a wait. Should it fail after that, all is
// undone as before.
func (c *creation) unattended() bool {
	o, p := c.options, &c.plan.init
	return o.Starts && o.PIDFile == "" && o.PidfdSocket == "" && o.ConsoleSocket == nil && !o.Notify &&
		!p.UserNamespace && !p.Root.Asks() && c.bundle.Spec.Hooks == nil && c.plan.cgroup.Settled()
}

// limit comes when init only waits: its threads and memory are more than some limits have room for.
func (c *creation) limit() error { return c.plan.cgroup.Limit() }

// explainEnd says why init is gone without a word.
func (c *creation) explainEnd() error {
	if err := c.init.Failure(); err != nil {
		return err
	}
	if err := c.plan.cgroup.ExplainOOM(); err != nil {
		return fieldOfMemory(c.bundle.Spec, err)
	}
	how := c.init.Wait()
	if how == "SIGHUP" && c.plan.init.Terminal != nil {
		how += " (its terminal was hung up: whoever got it over the console socket has closed it)"
	}
	return fmt.Errorf("init ended before the container was ready: %s", how)
}

// openNamespace opens a namespace of init.
func openNamespace(init int, name string) (*os.File, error) {
	return os.Open("/proc/" + strconv.Itoa(init) + "/ns/" + name)
}

// commit makes the container stand on its own.
func (c *creation) commit() error {
	if c.ahead {
		return nil
	}
	if path := c.options.PidfdSocket; path != "" {
		if err := fdsocket.SendTo(path, c.init.PidFD); err != nil {
			return err
		}
	}
	if c.options.PIDFile != "" {
		if err := writePIDFile(c.options.PIDFile, c.init.PID); err != nil {
			return err
		}
	}
	if err := c.dir.Commit(c.stands); err != nil {
		return err
	}
	c.record = c.stands
	if c.options.Starts {
		return nil // Created.Start tells init
	}
	err := c.way.committed()
	switch {
	case errors.Is(err, syncpipe.ErrClosed):
		return c.explainEnd() // of an init that a limit has killed meanwhile
	case err != nil:
		return err
	}
	return c.dir.Settle()
}

// undo removes what a create that failed has made.
func (c *creation) undo() error {
	if c.record == nil {
		return c.dir.Remove()
	}
	returned := c.network.undo()
	if c.init != nil {
		c.way.close()
		if err := c.end(c.init.PID, c.init.PidFD); err != nil {
			return errors.Join(returned, err) // a forced delete can do the rest
		}
		c.init.Close()
	}
	if errors.Is(c.dir.Linked(), state.ErrNotExist) {
		return returned // a forced delete has undone the rest, and another container may have the name by now
	}
	return errors.Join(returned, (&Container{c.factory.Root, c.record, c.plan.cgroup.Manager}).destroy(c.dir, specs.StateStopped))
}

// end kills and reaps a child that is the container's init. A hook, or somebody else, may have
// frozen it, and the freezer of cgroup v1 holds even SIGKILL back.
func (c *creation) end(pid int, pidfd *os.File) error {
	const prompt = 100 * time.Millisecond // most have ended by then
	_ = unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0)
	err := awaitEnd(int(pidfd.Fd()), pid, prompt)
	if errors.Is(err, errSurvives) {
		_ = c.plan.cgroup.LetDie(pid)
		err = awaitEnd(int(pidfd.Fd()), pid, killTimeout)
	}
	for err == nil {
		if _, werr := unix.Wait4(pid, nil, 0, nil); werr != unix.EINTR {
			return nil
		}
	}
	return err
}
