package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v3"

	"oci-run/libcontainer"
	"oci-run/libcontainer/fdsocket"
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
	id, err := onlyID(c)
	if err != nil {
		return err
	}
	_, err = createContainer(c, id, nil)
	return err
}

// createContainer does what create and run have in common. terminal is where the master
// of a terminal goes if there is no --console-socket.
func createContainer(c *cli.Command, id string, terminal *os.File) (*libcontainer.Created, error) {
	f, err := newFactory(c)
	if err != nil {
		return nil, err
	}
	b, err := specconv.Load(c.String("bundle"))
	if err != nil {
		return nil, err
	}
	o := &libcontainer.CreateOptions{
		PIDFile: c.String("pid-file"), PidfdSocket: c.String("pidfd-socket"), PreserveFDs: c.Int("preserve-fds"),
		NoPivot: c.Bool("no-pivot"), NoNewKeyring: c.Bool("no-new-keyring"), ConsoleSocket: terminal, Foreground: terminal != nil,
	}
	if path := c.String("console-socket"); path != "" {
		if o.ConsoleSocket, err = fdsocket.Dial(path); err != nil {
			return nil, err
		}
		defer o.ConsoleSocket.Close()
	}
	return f.Create(id, b, o)
}
