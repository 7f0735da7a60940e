package libcontainer

import (
	"errors"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/crash"
	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/state"
	"oci-run/libcontainer/internal/syncpipe"
)

// Created is what a create leaves with its caller beside the container: init is a child of this
// process, which reaps it, until it exits.
//
// Without CreateOptions.Starts the lock is free and init waits on the start channel: any process
// can call [Container.Start]. With it Created still holds the lock, so that nobody else can do more
// to the container than kill it or force its end: exactly one of [Created.Start] and
// [Created.Abandon] follows, which lets go of the lock. If this process ends before, so does init.
type Created struct {
	*Container
	PID   int      // of init
	PidFD *os.File // of init, for poll(2) and waitid(2); the caller closes it

	// What a container with CreateOptions.Starts still has of its creation; nil otherwise, and once
	// it has been started.
	dir      *state.Dir // locked
	way      way
	ahead    bool // init needs no word to go on
	doubtful bool // init may be killed between the start and its program: by a seccomp filter or a limit of memory
}

// created hands on what a creation that has succeeded leaves.
func (c *creation) created() *Created {
	created := &Created{
		Container: &Container{c.factory.Root, c.record, c.plan.cgroup.Manager}, PID: c.init.PID, PidFD: c.init.PidFD,
		doubtful: c.plan.init.Seccomp != nil || c.plan.init.Limited,
	}
	if c.options.Starts {
		created.dir, created.way, created.ahead = c.dir, c.way, c.ahead
		c.dir, c.way = nil, nil
	}
	return created
}

// Start is [Container.Start] where nobody else could have started or changed the container
// ([CreateOptions].Starts): its lock has been held since it was reserved, and init waits for a word
// on the channel that it has with us, unless it has got that beforehand. If we end before that, so
// does init. Without Starts it is Container.Start itself.
func (c *Created) Start() (err error) {
	if c.way == nil {
		return c.Container.Start()
	}
	defer c.Abandon()
	span := trace.Begin("start")
	defer func() { span.End(err) }()
	if err := c.release(); err != nil {
		return c.blameLimit(c.dir, err)
	}
	crash.Point("released")
	if err := c.way.follow(c, c.leaderless); err != nil {
		return c.explainStart(c.dir, err)
	}
	if err := c.dir.Settle(); err != nil { // it was ready before it ran its program
		return err
	}
	if c.doubtful {
		if err := ranProgram(c.record.Init); err != nil {
			return c.explainStart(c.dir, err)
		}
	}
	return c.poststart(c.dir)
}

// release has init go on.
func (c *Created) release() error {
	if c.ahead {
		return nil
	}
	err := c.way.committed()
	if errors.Is(err, syncpipe.ErrClosed) {
		err = toStart.require(c.record.ID, specs.StateStopped)
	}
	return err
}

// TellOOM warns of a memory limit that has killed processes of the container. It is for a container
// that was killed, before it is deleted: exit status 137 alone doesn't say by whom.
func (c *Created) TellOOM() {
	cgroup, err := c.cgroup()
	if err != nil || cgroup == nil {
		return
	}
	if text := cgroup.TellOOM(); text != "" {
		log.Warn(text)
	}
}

// Abandon lets go of the lock and of init. If it was not started, it ends.
func (c *Created) Abandon() {
	if c.way != nil {
		c.way.close()
		c.dir.Close()
		c.way, c.dir = nil, nil
	}
}
