package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/crash"
	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/fdsocket"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rdt"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/libcontainer/internal/spawn"
)

// ExecOptions is what `exec` asks for beyond the process.
type ExecOptions struct {
	PIDFile       string            // gets the pid, written atomically once the program runs
	ConsoleSocket *os.File          // socket that gets the terminal's master; nil without a terminal
	PidfdSocket   string            // path of the socket that gets a pidfd of the process
	PreserveFDs   int               // so many fds from 3 on are handed to the process
	Foreground    bool              // the terminal's master goes to a relay of ours, not to an engine
	Seal          string            // how the binary that joins is sealed, see package selfexe
	IgnorePaused  bool              // exec in a paused container too; the process waits for its resume
	Interrupted   func() bool       // whether who waits for the process wants to no longer; or nil
	Cgroup        map[string]string // paths below the container's cgroup, by v1 controller; "" for all
}

// Executed is a process that joins a container. It is a child of this process, which reaps it,
// until it exits.
//
// It is in the container's cgroup and namespaces already, and waits: exactly one of
// [Executed.Start] and [Executed.Abandon] follows. No lock is held, before or after: the container
// can be paused, killed or deleted at any time, and the process goes with it.
type Executed struct {
	PID   int      // of the process
	PidFD *os.File // of the process, for poll(2) and waitid(2); the caller closes it

	options  *ExecOptions
	way      entrance
	watch    *execWatch
	agent    func(listener *os.File) error
	filtered bool // a seccomp filter is loaded before the program runs
}

// entrance is the way in which a process gets into the container: as a child of a helper,
// which the container doesn't see.
type entrance interface {
	// enter starts the helper and returns the pid of the process, which then waits.
	enter(e *execution) (pid int, err error)
	// start lets the process go and returns when it runs its program, or with the reason why it
	// does not.
	start(agent func(listener *os.File) error) error
	// leave gives up what is held of the helper; a process that still waits ends.
	leave()
}

// execution is an exec on its way.
type execution struct {
	container *Container
	options   *ExecOptions
	spec      *specs.Spec
	plan      initproc.Plan
	init      *os.File // pidfd of the container's init process
	cgroup    *cgroups.Manager
	watch     *execWatch
	way       entrance
	helper    *spawn.Process // which the container doesn't see
	crowded   bool           // the helper stays outside of the container's cgroup
	outside   bool           // the helper is outside of the container's cgroup until systemd moves it
	pid       int            // of the process
	pidfd     *os.File       // of the process
}

// Exec has another process join the container, up to the point where it waits to be started.
// config is the container's, from [Container.Config]. p is a process.json: capabilities, labels,
// limits, priorities, affinity, umask and oomScoreAdj that it leaves out are those of the
// container's own process; args, cwd, env, user and noNewPrivileges are p's own.
func (c *Container) Exec(p *specs.Process, config *Config, o *ExecOptions) (*Executed, error) {
	e := &execution{container: c, options: o, spec: config.Spec}
	e.plan.Seccomp = config.filter
	if err := e.check(); err != nil {
		return nil, err
	}
	if err := e.newPlan(process.Inherit(p, config.Process)); err != nil {
		return nil, err
	}
	var err error
	if e.init, err = c.openInit(); err != nil {
		return nil, e.explain(err)
	}
	defer e.init.Close()
	if e.watch, err = c.newExecWatch(o); err != nil {
		return nil, err
	}
	if err := e.join(); err != nil {
		e.abandon()
		return nil, e.explain(err)
	}
	return &Executed{
		PID: e.pid, PidFD: e.pidfd,
		options: o, way: e.way, watch: e.watch, agent: c.execAgent(config.filter, e.pid), filtered: config.filter != nil,
	}, nil
}

// check refuses what can't work in the container's state.
func (e *execution) check() error {
	status, err := e.container.currentStatus()
	if err != nil {
		return err
	}
	if status == Paused && e.options.IgnorePaused {
		return nil
	}
	return toExec.require(e.container.ID(), status)
}

// join has the process made in the container's cgroup and namespaces, and sees it through to
// the point where it waits.
func (e *execution) join() error {
	err := e.enter()
	if err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(e.pid, 0) // it is our child, so its pid can't be another's
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", e.pid, err)
	}
	e.pidfd = os.NewFile(uintptr(fd), "pidfd:"+strconv.Itoa(e.pid))
	if e.crowded {
		if err := e.cgroup.ExecJoin(e.options.Cgroup, e.pid); err != nil {
			return err
		}
		// What the helper was allowed as for CPUs was its own cpuset's.
		if err := calls.Here(func(l *calls.List) { e.plan.Process.AddExecAffinity(l, e.pid) }); err != nil {
			return err
		}
	}
	if s := e.plan.Process.Scheduler; s == nil || s.Inherited() {
		return nil
	}
	return calls.Here(func(l *calls.List) { e.plan.Process.AddScheduler(l, e.pid) })
}

// enter takes the way that is open: a batch of system calls, or another start of oci-run.
func (e *execution) enter() (err error) {
	if e.plan.Batchable() && !crash.ByInit("EXEC") {
		e.way = &batchEntrance{}
		if e.pid, err = e.way.enter(e); !errors.Is(err, calls.ErrUnavailable) {
			return err
		}
		e.way.leave()
		log.Debug("exec: the helper is another start of oci-run: " + err.Error())
	}
	e.way = &initEntrance{}
	e.pid, err = e.way.enter(e)
	return err
}

// confine gives a process, the helper or its child, what only we may.
func (e *execution) confine(pid int) (err error) {
	span := trace.Begin("confine")
	span.SetNumber("pid", pid)
	defer func() { span.End(err) }()
	if e.outside {
		if err := e.cgroup.ExecAttach(e.options.Cgroup, pid, e.container.record.Init.PID); err != nil {
			return err
		}
	}
	if err := rdt.Join(e.spec.Linux.IntelRdt, e.container.ID(), "", pid); err != nil {
		return err
	}
	return adjust(&e.plan.Process, pid)
}

// request is what the helper is started with, whatever it is.
func (e *execution) request(exe *os.File, join []spawn.Join) (*spawn.Request, error) {
	nofile, err := process.CallerNofile()
	user := specs.User{}
	if e.spec.Process != nil {
		user = e.spec.Process.User
	}
	return &spawn.Request{
		Exe: exe, Inherit: 3 + e.options.PreserveFDs,
		UID: user.UID, GID: user.GID,
		Join: join, Copied: e.watch != nil && e.watch.still, Affinity: e.plan.Process.AffinityInitial.Bytes(), Nofile: nofile,
	}, err
}

// namespaces says which of init's namespaces are to be joined: those that config.json
// lists. The others are ours as well.
func (e *execution) namespaces() ([]spawn.Join, error) {
	flags := uintptr(0)
	for _, ns := range e.spec.Linux.Namespaces {
		kind, known := namespaces.Lookup(ns.Type)
		if !known {
			return nil, fmt.Errorf("namespace type %q is unknown", ns.Type)
		}
		if kind.Flag == unix.CLONE_NEWUSER && e.sameUserNamespace() {
			continue // joining one's own is an error, setns(2)
		}
		flags |= kind.Flag
	}
	if e.container.record.TimeNS {
		flags |= unix.CLONE_NEWTIME
	}
	// The helper does these two, at the right moment.
	e.plan.Exec.Mount, e.plan.Exec.PID = flags&unix.CLONE_NEWNS != 0, flags&unix.CLONE_NEWPID != 0
	flags &^= unix.CLONE_NEWNS | unix.CLONE_NEWPID
	if flags == 0 {
		return nil, nil
	}
	return []spawn.Join{{File: e.init, Flag: flags, Name: "every"}}, nil
}

func (e *execution) sameUserNamespace() bool {
	var ours, theirs unix.Stat_t
	pid := strconv.Itoa(e.container.record.Init.PID)
	return unix.Stat("/proc/self/ns/user", &ours) == nil && unix.Stat("/proc/"+pid+"/ns/user", &theirs) == nil &&
		ours.Dev == theirs.Dev && ours.Ino == theirs.Ino
}

// spawnInCgroup starts the process in the container's cgroup, or, if that can't take
// processes any more and no other was asked for, in the one that init is in.
func (e *execution) spawnInCgroup(r *spawn.Request) error {
	var err error
	if e.cgroup, err = e.container.cgroup(); err != nil {
		return err
	}
	if e.cgroup == nil || len(e.cgroup.Hierarchies()) == 0 {
		e.helper, err = spawn.Start(r)
		return err
	}
	if e.crowded = e.cgroup.Crowded(); e.crowded {
		e.helper, err = spawn.Start(r)
		return err
	}
	birth, err := e.cgroup.ExecBirth(e.options.Cgroup)
	if err == nil {
		err = e.spawnIn(birth, r)
	}
	if e.outside = errors.Is(err, unix.EACCES) && e.cgroup.Attaches(); e.outside {
		r.Cgroup, r.Tasks = nil, nil
		e.helper, err = spawn.Start(r)
		return err
	}
	moved := errors.Is(err, cgroups.ErrGone) || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENODEV)
	if !moved || len(e.options.Cgroup) > 0 {
		return err
	}
	if birth, err = e.cgroup.BirthBeside(e.container.record.Init.PID); err != nil {
		return err
	}
	return e.spawnIn(birth, r)
}

func (e *execution) spawnIn(birth *cgroups.Birth, r *spawn.Request) error {
	defer birth.Close()
	r.Cgroup, r.Tasks = birth.Unified, birth.Tasks
	helper, err := spawn.Start(r)
	if err != nil && birth.Unified != nil && (errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENODEV)) {
		return fmt.Errorf("exec: adding pid of the process to cgroup %q: %w", birth.Unified.Name(), err)
	}
	e.helper = helper
	return err
}

// execAgent hands the listener of a filter with SCMP_ACT_NOTIFY to the agent that
// config.json names. The container's state tells of init, its pid of the new process.
func (c *Container) execAgent(filter *seccomp.Filter, pid int) func(listener *os.File) error {
	return func(listener *os.File) error {
		return seccomp.SendListener(filter.ListenerPath, int(listener.Fd()), &specs.ContainerProcessState{
			Version: specs.Version, Pid: pid, Metadata: filter.ListenerMetadata,
			State: *hookState(c.record, specs.StateRunning, c.record.Init.PID),
		})
	}
}

// explainEnd says why the process is gone without a word.
func (e *execution) explainEnd() error {
	if err := e.helper.Failure(); err != nil {
		return err
	}
	if e.cgroup != nil {
		if err := e.cgroup.ExplainOOM(); err != nil {
			return err
		}
	}
	return fmt.Errorf("the process ended before its program ran: %s", e.helper.Wait())
}

// explain says when an exec failed because the container had ended meanwhile, or was about
// to: its namespaces go before its process does.
func (e *execution) explain(err error) error {
	alive, aerr := e.container.record.Init.Alive()
	if (alive || aerr != nil) && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return fmt.Errorf("%w: %w", toExec.require(e.container.ID(), specs.StateStopped), err)
}

// abandon ends a process that can't be used.
func (e *execution) abandon() {
	e.watch.abandon()
	if e.way != nil {
		e.way.leave()
	}
	if e.pidfd != nil {
		reap(e.pid, e.pidfd)
	}
}

// endHelper ends the helper of an exec, nil if there is none; the process that waits for it ends
// too.
func endHelper(helper *spawn.Process) {
	if helper == nil {
		return
	}
	_ = unix.PidfdSendSignal(int(helper.PidFD.Fd()), unix.SIGKILL, nil, 0)
	helper.Wait()
	helper.Close()
}

// reap kills the process of an exec.
func reap(pid int, pidfd *os.File) {
	_ = unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0)
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// Start has the process execute its program, and returns when it does, or with the reason
// why it does not; then nothing is left of it.
func (e *Executed) Start() error {
	if err := trace.Do("start", e.start); err != nil {
		e.Abandon()
		return err
	}
	e.way.leave()
	return nil
}

func (e *Executed) start() error {
	if path := e.options.PidfdSocket; path != "" {
		if err := fdsocket.SendTo(path, e.PidFD); err != nil {
			return err
		}
	}
	var file *pendingFile
	if path := e.options.PIDFile; path != "" {
		var err error
		if file, err = newPIDFile(path, e.PID); err != nil {
			return err
		}
	}
	err := e.way.start(e.agent)
	if err == nil && e.filtered {
		err = e.ranProgram()
	}
	if err != nil {
		file.discard()
		return err
	}
	return file.commit()
}

// Abandon ends a process that is not going to be started.
func (e *Executed) Abandon() {
	e.watch.abandon()
	e.way.leave()
	reap(e.PID, e.PidFD)
}
