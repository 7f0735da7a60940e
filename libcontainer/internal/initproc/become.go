package initproc

import (
	"os"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
)

// becoming is who becomes what a plan says, and where.
type becoming struct {
	root    process.Root // the container's, for questions and for errors
	proc    int          // a procfs for questions about itself, or -1
	stdio   bool         // fds 0, 1 and 2 may be somebody else's
	limited bool         // the parent sets the limits
	init    *os.File     // a pidfd of the container's init, for an exec
}

// addBecome makes a process all that the program shall be, but for its label.
func (p *Plan) addBecome(l *calls.List, b becoming) (found *program.Found, warnings []string, err error) {
	if !b.limited {
		p.Process.AddRlimits(l, 0)
	}
	if p.Exec != nil {
		process.AddNproc(l, p.Exec.Nproc)
	}
	p.Process.AddPriorities(l, p.Exec != nil)
	if p.Exec != nil && p.Exec.PID { // for children
		l.Do(unix.SYS_SETNS, b.init.Fd(), unix.CLONE_NEWPID).Or("join the container's pid namespace")
	}
	p.Process.ResolveHome(b.root)
	if warnings, err = p.addUser(l, b); err != nil || len(p.Process.Args) == 0 {
		return nil, warnings, err
	}
	found, err = program.AddLookup(l, &p.Process, b.root)
	return found, warnings, err
}

// addUser adds the change to the working directory, to the container's user, and to the
// capabilities that the plan leaves it.
func (p *Plan) addUser(l *calls.List, b becoming) (warnings []string, err error) {
	caps := &p.Capabilities
	entering := p.Process.AddCwd(l, b.root)
	caps.AddBeforeUser(l, p.Process.UID)
	if b.stdio {
		if err := p.Process.AddStdio(l); err != nil {
			return nil, err
		}
	}
	p.Process.AddUser(l, b.proc)
	// The seccomp filter is loaded last of all. Without no_new_privs that takes a capability,
	// seccomp(2).
	if warnings, err = caps.AddAfterUser(l, p.Seccomp != nil && !p.Process.NoNewPrivs); err != nil {
		return nil, err
	}
	entering.AddAgain(l)
	p.Process.AddRest(l)
	return warnings, nil
}

// addCloseOnExec marks what the program must not get. What it shall have was left open across
// init's own execve.
func (p *Plan) addCloseOnExec(l *calls.List) {
	first := uintptr(3 + p.PreserveFDs)
	l.CloseRange(first, lastFD, unix.CLOSE_RANGE_CLOEXEC, "mark fds from %d on close-on-exec", first)
}

// list is an empty list of calls for init's own thread. There is one at a time.
func (c *container) list() *calls.List {
	if c.calls == nil {
		c.calls = calls.NewHere(-1)
	}
	c.calls.Reset()
	return c.calls
}

// make makes the calls that add adds on init's own thread.
func (c *container) make(add func(l *calls.List)) error {
	l := c.list()
	add(l)
	return l.Run()
}
