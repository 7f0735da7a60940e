package main

import (
	"errors"
	"os"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
	"oci-run/specconv"
)

var restoreCommand = cli.Command{
	Name:      "restore",
	Usage:     "make a container from the files of a checkpoint",
	Arguments: "ID",
	Description: "Has CRIU make the processes of a container from the files that checkpoint wrote, as the container ID of a bundle.\n" +
		"Then it is as with run: passes signals on, deletes the container when it ends, and exits with its status.",
	Options: [][]cli.Option{criuOptions, {
		{Name: "bundle", Alias: "b", Usage: "`DIR` of the bundle, with config.json (default: the current directory)"},
		{Name: "console-socket", Usage: "unix socket at `PATH` that gets the master of the container's terminal"},
		{Name: "pid-file", Usage: "write the pid of the container's process to `FILE`"},
		{Name: "detach", Alias: "d", Kind: cli.Boolean, Usage: "do not wait for the container"},
		{Name: "no-subreaper", Kind: cli.Boolean, Usage: "do not become the reaper of the container's orphans"},
		{Name: "no-pivot", Kind: cli.Boolean, Usage: "refused: CRIU changes the root with pivot_root only"},
		{Name: "tcp-close", Kind: cli.Boolean, Usage: "close TCP connections instead of restoring them"},
		{Name: "lsm-profile", Usage: "give the processes the `TYPE:NAME`, such as apparmor:PROFILE or selinux:LABEL"},
		{Name: "lsm-mount-context", Usage: "give mounts with an SELinux context the `LABEL` in its place"},
	}},
	Action: restore,
}

func restore(c *cli.Call) error {
	id, err := onlyID(c)
	if err != nil {
		return err
	}
	if c.Bool("no-pivot") {
		return errors.New("--no-pivot: CRIU restores a container with pivot_root only")
	}
	j := &restoreJob{createJob: createJob{id: id}}
	if j.factory, err = newFactory(c); err != nil {
		return err
	}
	if j.bundle, err = specconv.Load(c.String("bundle")); err != nil {
		return err
	}
	if j.restored.CRIU, err = readCRIUOptions(c); err != nil {
		return err
	}
	o := &j.restored.CRIU
	o.TCPClose, o.LSMProfile, o.LSMMountContext = c.Bool("tcp-close"), c.String("lsm-profile"), c.String("lsm-mount-context")
	j.options = libcontainer.CreateOptions{PIDFile: c.String("pid-file"), Notify: os.Getenv(libcontainer.NotifyVariable) != ""}
	j.restored.Stdio = ownStdio()
	if c.Bool("detach") {
		created, err := j.restore(c)
		if err == nil {
			created.PidFD.Close()
		}
		return err
	}
	attendant, err := libcontainer.NewForeground(ownStdio())
	if err != nil {
		return err
	}
	return j.foreground(c, attendant, j.restore, func(*libcontainer.Created) error { return nil })
}

// restoreJob is what a restore is made of.
type restoreJob struct {
	createJob
	restored libcontainer.RestoreOptions
}

func (j *restoreJob) restore(c *cli.Call) (*libcontainer.Created, error) {
	if path := c.String("console-socket"); path != "" {
		socket, err := libcontainer.DialConsole(path)
		if err != nil {
			return nil, err
		}
		defer socket.Close()
		j.options.ConsoleSocket = socket
	}
	j.restored.Create = j.options
	return j.factory.Restore(j.id, j.bundle, &j.restored)
}
