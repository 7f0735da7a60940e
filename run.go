package main

import (
	"errors"
	"os"

	"oci-run/libcontainer"
	"oci-run/libcontainer/console"
	"oci-run/libcontainer/fdsocket"
	"oci-run/libcontainer/foreground"
)

var runCommand = command{
	name:      "run",
	usage:     "create and start a container, and wait for its end",
	arguments: "ID",
	description: "Creates and starts the container ID from a bundle, passes signals on to it, deletes it when it ends, and\n" +
		"exits with its status: 128 and the number of the signal if one ended it.",
	options: [][]option{createOptions, {
		{name: "detach", alias: "d", kind: boolean, usage: "do not wait for the container"},
		{name: "keep", kind: boolean, usage: "do not delete the container when it ends"},
		{name: "no-subreaper", kind: boolean, usage: "do not become the reaper of the container's orphans"},
	}},
	action: run,
}

func run(c *call) error {
	if c.Bool("detach") {
		return runDetached(c)
	}
	signals, err := foreground.Catch() // until we exit
	if err != nil {
		return err
	}
	j, err := newCreateJob(c)
	if err != nil {
		return err
	}
	j.options.Starts = true
	return j.foreground(c, signals, j.create, func(created *libcontainer.Created) error {
		defer created.Abandon() // if it has not come to the start
		return startInForeground(created.Start, created.Container)
	})
}

func runDetached(c *call) error {
	j, err := newCreateJob(c)
	if err != nil {
		return err
	}
	j.options.Starts = true
	created, err := j.create(c)
	if err != nil {
		return err
	}
	if err := startAndNotify(created.Start, created.Container); err != nil {
		created.Abandon()
		return errors.Join(err, created.Delete(true))
	}
	return nil
}

// foreground makes and starts the container and stays with it, as if it were a program of ours.
func (j *createJob) foreground(
	c *call, signals *foreground.Signals,
	create func(*call) (*libcontainer.Created, error), start func(*libcontainer.Created) error,
) error {
	if !c.Bool("no-subreaper") {
		if err := foreground.BecomeSubreaper(); err != nil {
			return err
		}
	}
	terminal, err := j.ownTerminal(c)
	if err != nil {
		return err
	}
	if terminal != nil {
		defer terminal.Close()
		defer j.options.ConsoleSocket.Close()
	}
	created, err := create(c)
	if err != nil {
		return err
	}
	status, err := attend(attended{created.PID, created.PidFD, func() error { return start(created) }, created.Abandon}, signals, terminal)
	if err != nil {
		return errors.Join(err, created.Delete(true))
	}
	if !c.Bool("keep") {
		if err := created.Delete(true); err != nil {
			return err
		}
	}
	if status != 0 {
		return exitStatus(status)
	}
	return nil
}

// ownTerminal prepares for a terminal whose master comes to us: it returns our end of the
// console socket, or nil if there is no terminal, or if somebody else gets it.
func (j *createJob) ownTerminal(c *call) (*os.File, error) {
	if !j.bundle.Spec.Process.Terminal || c.String("console-socket") != "" {
		return nil, nil //nolint:nilnil // no terminal is not an error
	}
	ours, theirs, err := fdsocket.Pair()
	if err != nil {
		return nil, err
	}
	j.options.ConsoleSocket, j.options.Foreground = theirs, true
	return ours, nil
}

// attended is a process that stays in the foreground.
type attended struct {
	pid     int
	pidfd   *os.File
	start   func() error
	abandon func() // ends it before its start
}

// attend starts the process and stays until it ends.
func attend(p attended, signals *foreground.Signals, terminal *os.File) (int, error) {
	var relay foreground.Terminal
	if terminal != nil {
		master, err := fdsocket.Receive(terminal)
		if err != nil {
			p.abandon()
			return 0, err
		}
		r, err := console.NewRelay(master, os.Stdin, os.Stdout, os.Stderr)
		if err != nil {
			p.abandon()
			return 0, err
		}
		relay = r
	}
	if err := p.start(); err != nil {
		if relay != nil {
			relay.Finish(nil)
		}
		return 0, err
	}
	logger.flush()
	return signals.Wait(p.pid, p.pidfd, relay), nil
}
