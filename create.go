package main

import (
	"os"

	"oci-run/libcontainer"
	"oci-run/specconv"
)

var createCommand = command{
	name:      "create",
	usage:     "create a container",
	arguments: "ID",
	description: "Makes the container ID from a bundle: its namespaces, mounts, cgroup and process, which waits.\n" +
		"start has it execute the program that config.json names.",
	options: [][]option{createOptions},
	action:  create,
}

// createOptions are the options of create, and of run, which begins with a create.
var createOptions = []option{
	{name: "bundle", alias: "b", usage: "`DIR` of the bundle, with config.json (default: the current directory)"},
	{name: "console-socket", usage: "unix socket at `PATH` that gets the master of the container's terminal"},
	{name: "pidfd-socket", usage: "unix socket at `PATH` that gets a pidfd of the container's process"},
	{name: "pid-file", usage: "write the pid of the container's process to `FILE`"},
	{name: "no-pivot", kind: boolean, usage: "change the root by moving a mount instead of pivot_root, for a root on initramfs"},
	{name: "no-new-keyring", kind: boolean, usage: "share the caller's session keyring"},
	{name: "preserve-fds", kind: number, usage: "hand the `N` fds from 3 on to the container's process"},
}

func create(c *call) error {
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

func newCreateJob(c *call) (*createJob, error) {
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
		NoPivot: c.Bool("no-pivot"), NoNewKeyring: c.Bool("no-new-keyring"), Seal: c.String("seal"), Notify: os.Getenv(libcontainer.NotifyVariable) != "",
	}
	sockets, env, err := libcontainer.SocketActivation(os.Getenv)
	j.options.PreserveFDs += sockets
	j.options.Env = env
	return j, err
}

func (j *createJob) create(c *call) (*libcontainer.Created, error) {
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
