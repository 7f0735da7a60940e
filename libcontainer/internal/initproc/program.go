package initproc

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
)

// process applies what the process asks for and what does not depend on its user. Its limits are
// set by the parent if we are in a user namespace: raising one takes a privilege outside of it.
func (c *container) process() error {
	p := &c.plan.Process
	c.home() // which opens more files than a low limit may allow
	byParent := c.plan.UserNamespace && len(p.Rlimits) > 0
	if byParent {
		if err := c.sync.Limits(); err != nil {
			return err
		}
	}
	return c.make(func(l *calls.List) {
		if !byParent {
			p.AddRlimits(l, 0)
		}
		p.AddPriorities(l, c.plan.Exec != nil)
	})
}

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

// user goes to the working directory and becomes the container's user.
func (c *container) user() error {
	l := c.list()
	warnings, err := c.plan.addUser(l, c.containerRoot(), c.procFD(), true)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		slog.Warn(w)
	}
	return l.Run()
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

// program finds the program and lays out its arguments, so that create fails if it can't
// be found, and so that execve has nothing left to prepare. A configuration without a
// process has none, and start is refused.
func (c *container) program() error {
	p, l := &c.plan.Process, c.list()
	if len(p.Args) == 0 {
		return nil
	}
	found, err := program.AddLookup(l, p, c.containerRoot())
	if err == nil {
		err = l.Run()
	}
	if err != nil {
		return err
	}
	c.path = found.Path()
	c.image, err = program.Prepare(c.path, p.Args, p.Env)
	return err
}

func (c *container) named(name string) error {
	return c.make(func(l *calls.List) { process.AddName(l, name) })
}

// confine marks inherited fds and prepares for the seccomp filter. There is none to be
// loaded if the profile says nothing, or after the first time.
func (c *container) confine() (*confinement, error) {
	if c.confined {
		return nil, nil
	}
	c.confined = true
	if err := c.closeInherited(); err != nil {
		return nil, err
	}
	if c.plan.Seccomp == nil {
		return nil, nil
	}
	if err := c.named(Executing); err != nil {
		return nil, err
	}
	// Looking closer at what failed takes system calls that a filter may not allow.
	c.expected, c.hint = program.Foresee(&c.plan.Process, c.containerRoot(), c.path)
	return c.confinement(), nil
}

// exec loads the seccomp filter and becomes the container's program.
func (c *container) exec() error {
	c.tellSpans("execve")
	filter, err := c.confine()
	if err != nil {
		return err
	}
	var errno unix.Errno
	if filter == nil {
		errno = c.image.Exec()
	} else if errno, err = filter.exec(c.image); err != nil {
		return err
	}
	if refused := &c.plan.ExecRefused; c.plan.Seccomp != nil && refused.Gives(errno) {
		return program.Refused(program.ExecFailure(&c.plan.Process, c.path, errno, ""), refused.Gives, refused.Pointer)
	}
	hint := c.hint
	switch {
	case c.plan.Seccomp == nil:
		hint = program.Hint(&c.plan.Process, c.containerRoot(), c.path, errno)
	case errno != c.expected:
		hint = ""
	}
	return program.ExecFailure(&c.plan.Process, c.path, errno, hint)
}

// closeInherited marks every fd that the program must not have. Those that it shall have
// were left open across our own exec; everything that we opened is close-on-exec.
func (c *container) closeInherited() error {
	first := uint(3 + c.plan.PreserveFDs)
	if err := unix.CloseRange(first, ^uint(0)>>33, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("mark fds from %d on close-on-exec: %w", first, linux.NameCall("close_range", err))
	}
	return nil
}
