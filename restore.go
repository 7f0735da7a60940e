package main

import (
	"context"
	"errors"
	"os"

	"github.com/urfave/cli/v3"

	"oci-run/libcontainer"
	"oci-run/libcontainer/fdsocket"
	"oci-run/libcontainer/foreground"
	"oci-run/libcontainer/sdnotify"
	"oci-run/specconv"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "make a container from the files of a checkpoint",
		ArgsUsage: "ID",
		Description: "Has CRIU make the processes of a container from the files that checkpoint wrote, as the container ID of a bundle.\n" +
			"Then it is as with run: passes signals on, deletes the container when it ends, and exits with its status.",
		DisableSliceFlagSeparator: true,
		Flags: append(criuFlags(),
			&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "`DIR` of the bundle, with config.json (default: the current directory)"},
			&cli.StringFlag{Name: "console-socket", Usage: "unix socket at `PATH` that gets the master of the container's terminal"},
			&cli.StringFlag{Name: "pid-file", Usage: "write the pid of the container's process to `FILE`"},
			&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "do not wait for the container"},
			&cli.BoolFlag{Name: "no-subreaper", Usage: "do not become the reaper of the container's orphans"},
			&cli.BoolFlag{Name: "no-pivot", Usage: "refused: CRIU changes the root with pivot_root only"},
			&cli.BoolFlag{Name: "tcp-close", Usage: "close TCP connections instead of restoring them"},
			&cli.StringFlag{Name: "lsm-profile", Usage: "give the processes the `TYPE:NAME`, such as apparmor:PROFILE or selinux:LABEL"},
			&cli.StringFlag{Name: "lsm-mount-context", Usage: "give mounts with an SELinux context the `LABEL` in its place"},
		),
		Action: restore,
	}
}

func restore(_ context.Context, c *cli.Command) error {
	id, err := onlyID(c)
	if err != nil {
		return err
	}
	if c.Bool("no-pivot") {
		return errors.New("--no-pivot: a container can't be restored without pivot_root, CRIU knows no other way")
	}
	j := &restoreJob{createJob: createJob{id: id}}
	if j.factory, err = newFactory(c); err != nil {
		return err
	}
	if j.bundle, err = specconv.Load(c.String("bundle")); err != nil {
		return err
	}
	if j.restored.CRIU, err = criuOptions(c); err != nil {
		return err
	}
	o := &j.restored.CRIU
	o.TCPClose, o.LSMProfile, o.LSMMountContext = c.Bool("tcp-close"), c.String("lsm-profile"), c.String("lsm-mount-context")
	j.options = libcontainer.CreateOptions{PIDFile: c.String("pid-file"), Notify: os.Getenv(sdnotify.Variable) != ""}
	j.restored.Stdio = [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	if c.Bool("detach") {
		created, err := j.restore(c)
		if err == nil {
			created.PidFD.Close()
		}
		return err
	}
	signals := foreground.Catch()
	signals.Caught()
	return j.foreground(c, signals, j.restore, func(*libcontainer.Created) error { return nil })
}

// restoreJob is what a restore is made of.
type restoreJob struct {
	createJob
	restored libcontainer.RestoreOptions
}

func (j *restoreJob) restore(c *cli.Command) (*libcontainer.Created, error) {
	if path := c.String("console-socket"); path != "" {
		socket, err := fdsocket.Dial(path)
		if err != nil {
			return nil, err
		}
		defer socket.Close()
		j.options.ConsoleSocket = socket
	}
	j.restored.Create = j.options
	return j.factory.Restore(j.id, j.bundle, &j.restored)
}
