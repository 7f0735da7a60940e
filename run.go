package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/internal/cli"
	"oci-run/internal/log"
	"oci-run/libcontainer"
	"oci-run/specconv"
)

var runCommand = cli.Command{
	Name:      "run",
	Usage:     "create and start a container, and wait for its end",
	Arguments: "ID",
	Description: "Creates and starts the container ID from a bundle, passes signals on to it, deletes it when it ends, and\n" +
		"exits with its status: 128 and the number of the signal if one ended it. When stdin ends, a program on a\n" +
		"terminal reads an end of file; one that reads keys itself, and reads on, is hung up (SIGHUP).",
	Options: [][]cli.Option{createOptions, {
		{Name: "detach", Alias: "d", Kind: cli.Boolean, Usage: "do not wait for the container"},
		{Name: "keep", Kind: cli.Boolean, Usage: "do not delete the container when it ends"},
		{Name: "no-subreaper", Kind: cli.Boolean, Usage: "do not become the reaper of the container's orphans"},
	}},
	Action: run,
}

func run(c *cli.Call) error {
	if c.Bool("detach") {
		return runDetached(c)
	}
	attendant, err := libcontainer.NewForeground(ownStdio()) // until we exit
	if err != nil {
		return err
	}
	j, err := newRunJob(c)
	if err != nil {
		return err
	}
	return j.foreground(c, attendant, j.create, func(created *libcontainer.Created) error {
		defer created.Abandon() // if it has not come to the start
		return startInForeground(created.Start, created.Container)
	})
}

// newRunJob is newCreateJob for a create that is a start too.
func newRunJob(c *cli.Call) (*createJob, error) {
	j, err := newCreateJob(c)
	if err != nil {
		return nil, err
	}
	if !j.bundle.HasProcess() {
		return nil, j.bundle.Locate(specconv.NoProcess())
	}
	j.options.Starts = true
	return j, nil
}

func runDetached(c *cli.Call) error {
	j, err := newRunJob(c)
	if err != nil {
		return err
	}
	created, err := j.create(c)
	if err != nil {
		return err
	}
	if err := startAndNotify(created.Start, created.Container); err != nil {
		created.Abandon()
		return errors.Join(err, remove(created))
	}
	return nil
}

// foreground makes and starts the container and stays with it, as if it were a program of ours.
func (j *createJob) foreground(
	c *cli.Call, attendant *libcontainer.Foreground,
	create func(*cli.Call) (*libcontainer.Created, error), start func(*libcontainer.Created) error,
) error {
	if !c.Bool("no-subreaper") {
		if err := attendant.AdoptOrphans(); err != nil {
			return err
		}
	}
	defer attendant.Close()
	if err := j.ownTerminal(c, attendant); err != nil {
		return err
	}
	created, err := create(c)
	if err != nil {
		return err
	}
	end, err := attendant.Attend(attended(created.PID, created.PidFD, func() error { return start(created) }, created.Abandon))
	if err != nil {
		return errors.Join(err, remove(created))
	}
	if end != nil && end.Signal == unix.SIGKILL {
		created.TellOOM()
	}
	if c.Bool("keep") {
		created.KeepEnding(end)
	} else if err := remove(created); err != nil {
		return err
	}
	return statusOf(end)
}

// statusOf ends oci-run as a process did that it attended: with 255 if that is not known, because
// somebody else has reaped it.
func statusOf(end *libcontainer.Ending) error {
	switch {
	case end == nil:
		log.Warn("how the container's process ended is not known: somebody else has reaped it")
		return exitStatus(255)
	case end.Code != 0:
		return exitStatus(end.Code)
	}
	return nil
}

// remove deletes a container, of which nothing may be left: a start whose poststart hook fails
// deletes it too, and so may anybody.
func remove(c *libcontainer.Created) error {
	if err := c.Delete(true); !errors.Is(err, libcontainer.ErrNotExist) {
		return err
	}
	return nil
}

// ownTerminal prepares for a terminal whose master comes to us, unless there is no terminal, or
// somebody else gets it.
func (j *createJob) ownTerminal(c *cli.Call, attendant *libcontainer.Foreground) (err error) {
	if !j.bundle.Spec.Process.Terminal || c.String("console-socket") != "" {
		return nil
	}
	j.options.ConsoleSocket, err = attendant.Console()
	j.options.Foreground = true
	return err
}

// attended is a process that stays in the foreground. What is to be told comes before the wait
// for its end.
func attended(pid int, pidfd *os.File, start func() error, abandon func()) libcontainer.Attended {
	return libcontainer.Attended{PID: pid, PidFD: pidfd, Abandon: abandon, Start: func() error {
		err := start()
		if err == nil {
			flush()
		}
		return err
	}}
}

func ownStdio() [3]*os.File { return [3]*os.File{os.Stdin, os.Stdout, os.Stderr} }
