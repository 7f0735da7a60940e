package initproc

import (
	"errors"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/hooks"
	"oci-run/internal/files"
	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/capabilities"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/syncpipe"
	"oci-run/libcontainer/internal/sysctl"
	"oci-run/specconv"
)

// createSteps is how a container comes to be, in order; the order is part of its security.
// Mounts are made before the root changes, by fds that lead into it. What needs
// privileges comes before they are dropped. After the seccomp filter is loaded there is
// one system call, execve: the filter may allow no other. Only startContainer hooks need
// more; with them, it is loaded before they run.
//
// Where the process is a list of calls (see [List]), it is the first and the last part, from the
// same functions, and a thread of the command's makes the steps of the second ([Builder]).
var createSteps = [...][]step{beginSteps[:], buildSteps[:], becomeSteps[:]}

var beginSteps = [...]step{
	{"session", (*container).session},
	{"keyring", (*container).keyring},
	{"cgroup namespace", (*container).cgroupNamespace},
}

var buildSteps = [...]step{
	{"network", (*container).network},
	{"mounts", (*container).mounts},
	{"devices", (*container).devices},
	{"runtime hooks", (*container).runtimeHooks},
	{"createContainer hooks", (*container).createContainerHooks},
	{"root", (*container).changeRoot},
	{"cwd", (*container).createCwd},
	{"console", (*container).console},
	{"hostname", (*container).hostname},
	{"sysctl", (*container).sysctl},
	{"masks", (*container).masks},
}

var becomeSteps = [...]step{
	{"labels", (*container).labels},
	{"process", (*container).process},
	{"ready", (*container).ready},
	{"start", (*container).awaitStart},
	{"startContainer hooks", (*container).startContainerHooks},
	{"exec", (*container).exec},
}

// session takes init out of the caller's session and from under the eyes of other
// processes of the container (CVE-2016-9962).
func (c *container) session() error {
	l := c.list()
	l.Do(unix.SYS_UMASK, 0) // modes are exact
	c.plan.Process.AddNofile(l)
	if c.plan.UserNamespace && os.Geteuid() != 0 {
		if err := capabilities.AddDropInheritable(l); err != nil {
			return err
		}
	}
	addSession(l)
	return l.Run()
}

func addSession(l *calls.List) {
	l.Do(unix.SYS_SETSID).Or("setsid")
	process.AddUndumpable(l)
}

// keyring is made by a create and joined by an exec.
func (c *container) keyring() error {
	if !c.plan.Keyring {
		return nil
	}
	proc := -1
	var labels lsm.Plan
	if c.plan.Exec == nil && c.plan.Labels.SELinux != "" {
		host, err := files.Open("/proc", unix.O_PATH|unix.O_DIRECTORY, 0) // still the host's
		if err != nil {
			return err
		}
		defer host.Close()
		labels, proc = c.plan.Labels, int(host.Fd())
	}
	return c.make(func(l *calls.List) { c.plan.addKeyring(l, labels, proc) })
}

// addKeyring adds the joining of the container's session keyring, which a create makes.
func (p *Plan) addKeyring(l *calls.List, labels lsm.Plan, proc int) {
	labels.AddKeys(l, proc, func() { process.AddKeyring(l, p.ID, p.Exec == nil, p.UserNamespace) })
}

// cgroupNamespace is made here and not at the clone, because its root is the cgroup that
// its creator is in at that moment: init has to be in its own first.
func (c *container) cgroupNamespace() error {
	return c.make(c.plan.addCgroupNamespace)
}

func (p *Plan) addCgroupNamespace(l *calls.List) {
	if p.CgroupNamespace == "" {
		return
	}
	l.Do(unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP).Explain = func(errno unix.Errno) error {
		kind, _ := namespaces.Lookup(specs.CgroupNamespace)
		return specconv.Field(p.CgroupNamespace, kind.Refused(errno))
	}
}

func (c *container) network() error {
	if !c.plan.Loopback {
		return nil
	}
	return namespaces.LoopbackUp()
}

func (c *container) runtimeHooks() error {
	if !c.plan.RuntimeHooks {
		return nil
	}
	return c.parent.Hooks()
}

func (c *container) createContainerHooks() error {
	list := c.plan.Hooks.CreateContainer
	if len(list) == 0 {
		return nil
	}
	if err := c.root.Chdir(); err != nil {
		return err
	}
	return HookField(hooks.Run(hooks.CreateContainer, list, c.state(specs.StateCreating)))
}

// state is what a hook inside the container reads: there, init has another pid.
func (c *container) state(status specs.ContainerState) *specs.State {
	s := c.plan.State
	s.Status, s.Pid = status, os.Getpid()
	return &s
}

func (c *container) hostname() error {
	if c.plan.Hostname != "" {
		if err := unix.Sethostname([]byte(c.plan.Hostname)); err != nil {
			return specconv.Fieldf("/hostname", "set hostname %q: %w", c.plan.Hostname, err)
		}
	}
	if c.plan.Domainname != "" {
		if err := unix.Setdomainname([]byte(c.plan.Domainname)); err != nil {
			return specconv.Fieldf("/domainname", "set domain name %q: %w", c.plan.Domainname, err)
		}
	}
	return nil
}

func (c *container) sysctl() error {
	if len(c.plan.Sysctl) == 0 {
		return nil
	}
	return sysctl.Apply(c.proc.Dir(), c.plan.Sysctl)
}

// ready tells the parent that all steps are done, and lets go of what ties init to it, but for the
// channel to hear the start on.
func (c *container) ready() error {
	c.tellSpans("")
	if c.plan.Limited {
		if err := c.make(func(l *calls.List) { process.AddName(l, Executing) }); err != nil {
			return err
		}
	}
	if err := c.sync.Ready(); err != nil {
		return err
	}
	c.lock.Close()
	if !c.plan.Starts {
		c.sync.Close()
	}
	if c.proc != nil {
		c.proc.Close()
		c.proc = nil
	}
	log.SetHandler(log.Discard{})
	return nil
}

// awaitStart waits for the start command. Where there is none, the commit was the start.
func (c *container) awaitStart() error {
	if c.plan.Starts {
		c.start = c.sync.Waiter()
		return nil
	}
	waiter, err := syncpipe.AwaitStart(c.channel)
	if errors.Is(err, syncpipe.ErrClosed) {
		os.Exit(1) // the start command was killed half-way
	}
	c.channel.Close()
	c.start = waiter
	if err == nil {
		trace.Join("init", waiter.Spans)
	}
	return err
}

// startContainerHooks run as confined as the program: a hook of the image's author must not
// do what the profile forbids to the image.
func (c *container) startContainerHooks() error {
	list := c.plan.Hooks.StartContainer
	if len(list) == 0 {
		return nil
	}
	if c.plan.Seccomp != nil {
		endWithLeader()
		c.startTeller()
	}
	l, err := c.confine()
	if err == nil {
		err = l.Run()
	}
	if err != nil {
		return err
	}
	return HookField(hooks.Run("startContainer", hooks.WithEnv(list, c.plan.Process.Env), c.state(specs.StateCreated)))
}

// HookField gives the error of a hook its place in config.json.
func HookField(err error) error {
	if pointer := hooks.Pointer(err); pointer != "" {
		return specconv.Field(pointer, err)
	}
	return err
}
