package main

import (
	"io"
	"os"

	"oci-run/internal/cli"
	"oci-run/internal/trace"
	"oci-run/libcontainer"
	"oci-run/specconv"
)

var createCommand = cli.Command{
	Name:      "create",
	Usage:     "create a container",
	Arguments: "ID",
	Description: "Makes the container ID from a bundle: its namespaces, mounts, cgroup and process, which waits.\n" +
		"start has it execute the program that config.json names.",
	Options: [][]cli.Option{createOptions, {
		{Name: "dry-run", Kind: cli.Boolean, Usage: "make nothing, and tell what would be made (see plan)"},
	}},
	Action: create,
}

// createOptions are the options of create, and of run, which begins with a create.
var createOptions = []cli.Option{
	{Name: "bundle", Alias: "b", Usage: "`DIR` of the bundle, with config.json (default: the current directory)"},
	{Name: "config", Alias: "f", Usage: "`FILE` in the place of the bundle's config.json; it may be a pipe"},
	{Name: "console-socket", Usage: "unix socket at `PATH` that gets the master of the container's terminal"},
	{Name: "pidfd-socket", Usage: "unix socket at `PATH` that gets a pidfd of the container's process"},
	{Name: "pid-file", Usage: "write the pid of the container's process to `FILE`"},
	{Name: "no-pivot", Kind: cli.Boolean, Usage: "change the root by moving a mount instead of pivot_root, for a root on initramfs"},
	{Name: "no-new-keyring", Kind: cli.Boolean, Usage: "share the caller's session keyring"},
	{Name: "preserve-fds", Kind: cli.Number, Value: "0", Usage: "hand the `N` fds from 3 on to the container's process"},
}

func create(c *cli.Call) error {
	j, err := newCreateJob(c)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return j.preview(c)
	}
	_, err = j.create(c)
	return err
}

// preview tells what create would do.
func (j *createJob) preview(c *cli.Call) error {
	v, err := j.factory.Preview(j.id, j.bundle, &j.options)
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.Out, v.Text())
	return err
}

// createJob is what a create, or the create of a run, is made of.
type createJob struct {
	id      string
	factory *libcontainer.Factory
	bundle  *specconv.Bundle
	options libcontainer.CreateOptions
}

func newCreateJob(c *cli.Call) (*createJob, error) {
	id, err := onlyID(c)
	if err != nil {
		return nil, err
	}
	j := &createJob{id: id}
	made := newFactory
	if c.Bool("dry-run") {
		made = planningFactory
	}
	if j.factory, err = made(c); err != nil {
		return nil, err
	}
	span := trace.Begin("load the bundle")
	span.Set("path", c.String("bundle"))
	j.bundle, err = specconv.LoadWith(c.String("config"), c.String("bundle"))
	if span.End(err); err != nil {
		return nil, err
	}
	j.options = libcontainer.CreateOptions{
		PIDFile: c.String("pid-file"), PidfdSocket: c.String("pidfd-socket"), PreserveFDs: c.Int("preserve-fds"),
		NoPivot: c.Bool("no-pivot"), NoNewKeyring: c.Bool("no-new-keyring"), Seal: c.String("seal"), Notify: os.Getenv(libcontainer.NotifyVariable) != "",
	}
	sockets, env, err := libcontainer.SocketActivation(os.Getenv)
	j.options.PreserveFDs += sockets
	j.options.Env = env
	return j, err
}

func (j *createJob) create(c *cli.Call) (*libcontainer.Created, error) {
	if path := c.String("console-socket"); path != "" {
		socket, err := libcontainer.DialConsole(path)
		if err != nil {
			return nil, err
		}
		defer socket.Close()
		j.options.ConsoleSocket = socket
	}
	return j.factory.Create(j.id, j.bundle, &j.options)
}
