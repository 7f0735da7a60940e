package libcontainer

import (
	"errors"

	"golang.org/x/sys/unix"

	"oci-run/internal/crash"
	"oci-run/internal/log"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/spawn"
)

// way is what a container's init is before it is the program, and how the command speaks with it.
// Its methods are called in this order.
type way interface {
	// prepare makes what ends with the command.
	prepare(c *creation) error
	// spawn starts init, as c.init. request has what is the same for each way.
	spawn(c *creation, request *spawn.Request) error
	// serve sees init through until it is ready, and calls c.stage meanwhile. Its error is
	// syncpipe.ErrClosed if init is gone without a word.
	serve(c *creation) error
	// committed tells init that the container's record is on disk: from now on it lives on without
	// us. If init is gone, the error is syncpipe.ErrClosed.
	committed() error
	// follow returns when an init that has no start command to wait for has executed its program,
	// or with the reason why it hasn't. watch is called now and then while init says nothing, and
	// ends the wait with its error.
	follow(c *Created, watch func() error) error
	// close lets go of init, which ends unless the create was committed.
	close()
}

// choose takes the way that is open: a list of calls, or another start of oci-run.
func (c *creation) choose() error {
	file, why, err := c.plan.byList()
	switch {
	case err != nil:
		return err
	case file == nil:
		return c.byInit(why)
	}
	log.Debug("create: init is a list of calls")
	c.way = &byList{exe: file}
	return c.way.prepare(c)
}

// byList opens what becomes init's executable if that can be a list of calls. Otherwise there is no
// file, and why says what stands in the way.
func (p *plan) byList() (file *calls.File, why string, err error) {
	if why = p.creatable(); why != "" {
		return nil, why, nil
	}
	if file, err = calls.NewFile(); errors.Is(err, calls.ErrUnavailable) {
		return nil, err.Error(), nil
	}
	return file, "", err
}

// byInit takes the way that is always open.
func (c *creation) byInit(why string) error {
	log.Debug("create: init is another start of oci-run: " + why)
	c.way = &byInit{}
	return c.way.prepare(c)
}

// creatable says why init can't be a list of calls, or "".
func (p *plan) creatable() string {
	if crash.ByInit("CREATE") {
		return "a test wants it"
	}
	for _, j := range p.joined {
		if j.Kind.Flag == unix.CLONE_NEWNS {
			return "the mount namespace is one that exists"
		}
	}
	return p.init.Creatable()
}
