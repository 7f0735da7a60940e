package initproc

import (
	"fmt"
	"log/slog"
	"os"

	"oci-run/libcontainer/console"
	"oci-run/libcontainer/lsm"
	"oci-run/libcontainer/process"
	"oci-run/libcontainer/rootfs"
)

// execSteps is how another process joins a container, in order. Its namespaces and cgroup
// are the container's from its birth on.
var execSteps = [...]step{
	{"session", (*container).session},
	{"keyring", (*container).joinKeyring},
	{"root", (*container).findRoot},
	{"console", (*container).execConsole},
	{"labels", (*container).labels},
	{"process", (*container).execProcess},
	{"user", (*container).user},
	{"program", (*container).program},
	{"ready", (*container).execReady},
	{"exec", (*container).exec},
}

func (c *container) joinKeyring() error {
	if !c.plan.Keyring {
		return nil
	}
	return process.JoinKeyring(c.plan.ID, false, c.plan.UserNamespace)
}

// findRoot opens the container's root and, where a later step needs it, a procfs.
func (c *container) findRoot() error {
	var err error
	if c.rootDir, err = os.Open("/"); err != nil {
		return err
	}
	if c.plan.UserNamespace || c.plan.Labels != (lsm.Plan{}) {
		c.proc, err = rootfs.OpenProc(false)
	}
	return err
}

// execConsole makes a terminal, without a name in /dev.
func (c *container) execConsole() error {
	if c.plan.Terminal == nil {
		return nil
	}
	t, err := console.Open(c.rootDir, c.plan.Terminal)
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.Send(c.socket); err != nil {
		return err
	}
	c.socket.Close()
	return t.Attach()
}

// execProcess is process for an exec, which may have CPUs of its own.
func (c *container) execProcess() error {
	p := &c.plan.Process
	if err := c.rlimits(); err != nil {
		return err
	}
	for _, set := range []func() error{
		func() error { return p.SetExecAffinity(0) },
		p.SetScheduler, p.SetIOPriority, p.SetMemoryPolicy, p.SetPersonality,
	} {
		if err := set(); err != nil {
			return err
		}
	}
	return nil
}

// execReady tells the parent that all steps are done. What still fails is reported over
// the same channel, which ends with the execve.
func (c *container) execReady() error {
	if err := c.sync.Ready(); err != nil {
		return fmt.Errorf("wait for the exec command: %w", err)
	}
	if c.proc != nil {
		c.proc.Close()
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	c.start = c.sync.Waiter()
	return nil
}
