package initproc

import (
	"os"

	"oci-run/internal/log"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
)

// containerRoot is for what is read in the container.
func (c *container) containerRoot() process.Root {
	root := process.Root{Dir: c.rootDir}
	if c.proc != nil {
		root.Proc = c.proc.Dir()
	}
	return root
}

// home finds out HOME if the configuration leaves it out. A container without /proc gets one for
// that, which nobody sees.
func (c *container) home() {
	p := &c.plan.Process
	if !p.NeedHome {
		return
	}
	root := c.containerRoot()
	if root.Proc == nil && !process.HasProcfs() {
		if own, err := c.root.OpenProc(false); err == nil {
			defer own.Close()
			root.Proc = own.Dir()
		}
	}
	p.ResolveHome(root)
}

// procFD is a procfs for questions about ourselves, which only a user namespace raises.
func (c *container) procFD() int {
	if c.proc == nil {
		return -1
	}
	return int(c.proc.Dir().Fd())
}

// labels has the execve change the security label. Asking for one that the kernel refuses
// is an error.
func (c *container) labels() error {
	return c.make(func(l *calls.List) { c.plan.Labels.Add(l, c.procFD()) })
}

// process makes init all that the program shall be, and looks for that, so that create fails if it
// can't be found. A configuration without a process has none, and start is refused. Its limits are
// set by the parent if we are in a user namespace: raising one takes a privilege outside of it.
func (c *container) process() error {
	p := &c.plan
	c.home()
	how := becoming{
		root: c.containerRoot(), proc: c.procFD(), stdio: true, limited: p.UserNamespace && len(p.Process.Rlimits) > 0, init: c.pidfd,
	}
	l := c.list()
	found, warnings, err := p.addBecome(l, how)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn(w)
	}
	if how.limited {
		if err := c.sync.Limits(); err != nil {
			return err
		}
	}
	if err := l.Run(); err != nil || found == nil {
		return err
	}
	found.Settle()
	found.Reopen(func() *os.File { return c.containerRoot().Proc }) // closed by then, or not
	c.found = found
	return nil
}

// exec loads the seccomp filter and becomes the container's program.
func (c *container) exec() error {
	c.tellSpans("execve")
	l, err := c.confine()
	if err == nil {
		c.found.AddExec(l, nil)
		err = l.Run()
	}
	if refused := &c.plan.ExecRefused; c.plan.Seccomp != nil {
		return program.Refused(err, refused.Gives, refused.Pointer)
	}
	return err
}

// confine begins the list that ends with the execve: inherited fds are marked and the seccomp
// filter is loaded, if that has not been done before.
func (c *container) confine() (*calls.List, error) {
	if c.confined {
		return c.list(), nil
	}
	c.confined = true
	handover, err := c.beforeFilter()
	if err != nil {
		return nil, err
	}
	l := c.list()
	c.plan.addCloseOnExec(l)
	c.plan.addFilter(l, handover)
	return l, nil
}
