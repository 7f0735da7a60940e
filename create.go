package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v3"

	"oci-run/libcontainer"
	"oci-run/libcontainer/fdsocket"
	"oci-run/libcontainer/sdnotify"
	"oci-run/specconv"
)

func createCommand() *cli.Command {
	return &cli.Command{
		Name:      "create",
		Usage:     "create a container",
		ArgsUsage: "ID",
		Description: "Makes the container ID from a bundle: its namespaces, mounts, cgroup and process, which waits.\n" +
			"start has it execute the program that config.json names.",
		Flags:  createFlags(),
		Action: create,
	}
}

// createFlags are the options of create, and of run, which begins with a create.
func createFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "`DIR` of the bundle, with config.json (default: the current directory)"},
		&cli.StringFlag{Name: "console-socket", Usage: "unix socket at `PATH` that gets the master of the container's terminal"},
		&cli.StringFlag{Name: "pidfd-socket", Usage: "unix socket at `PATH` that gets a pidfd of the container's process"},
		&cli.StringFlag{Name: "pid-file", Usage: "write the pid of the container's process to `FILE`"},
		&cli.BoolFlag{Name: "no-pivot", Usage: "change the root by moving a mount instead of pivot_root, for a root on initramfs"},
		&cli.BoolFlag{Name: "no-new-keyring", Usage: "share the caller's session keyring"},
		&cli.IntFlag{Name: "preserve-fds", Usage: "hand the `N` fds from 3 on to the container's process"},
	}
}

func create(_ context.Context, c *cli.Command) error {
	j, err := newCreateJob(c)
	if err != nil {
		return err
	}
	_, err = j.create(c)
	return err
}

// createJob is what a create, or the create of a run, is made of.
type createJob struct {
	id      string
	factory *libcontainer.Factory
	bundle  *specconv.Bundle
	options libcontainer.CreateOptions
}

func newCreateJob(c *cli.Command) (*createJob, error) {
	id, err := onlyID(c)
	if err != nil {
		return nil, err
	}
	j := &createJob{id: id}
	if j.factory, err = newFactory(c); err != nil {
		return nil, err
	}
	if j.bundle, err = specconv.Load(c.String("bundle")); err != nil {
		return nil, err
	}
	j.options = libcontainer.CreateOptions{
		PIDFile: c.String("pid-file"), PidfdSocket: c.String("pidfd-socket"), PreserveFDs: c.Int("preserve-fds"),
		NoPivot: c.Bool("no-pivot"), NoNewKeyring: c.Bool("no-new-keyring"), Seal: c.String("seal"), Notify: os.Getenv(sdnotify.Variable) != "",
	}
	sockets, env, err := sdnotify.Activation(os.Getenv)
	j.options.PreserveFDs += sockets
	j.options.Env = env
	return j, err
}

func (j *createJob) create(c *cli.Command) (*libcontainer.Created, error) {
	if path := c.String("console-socket"); path != "" {
		socket, err := fdsocket.Dial(path)
		if err != nil {
			return nil, err
		}
		defer socket.Close()
		j.options.ConsoleSocket = socket
	}
	return j.factory.Create(j.id, j.bundle, &j.options)
}
