package initproc

import (
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/process"
)

// addUser adds the change to the working directory, to the container's user, and to the
// capabilities that the plan leaves it. root and proc are for questions and for errors; stdio tells
// if fds 0, 1 and 2 may be somebody else's.
func (p *Plan) addUser(l *calls.List, root process.Root, proc int, stdio bool) (warnings []string, err error) {
	caps := &p.Capabilities
	entering := p.Process.AddCwd(l, root)
	caps.AddBeforeUser(l, p.Process.UID)
	if stdio {
		if err := p.Process.AddStdio(l); err != nil {
			return nil, err
		}
	}
	p.Process.AddUser(l, proc)
	// The seccomp filter is loaded last of all. Without no_new_privs that takes a capability,
	// seccomp(2).
	if warnings, err = caps.AddAfterUser(l, p.Seccomp != nil && !p.Process.NoNewPrivs); err != nil {
		return nil, err
	}
	entering.AddAgain(l)
	p.Process.AddRest(l)
	return warnings, nil
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
