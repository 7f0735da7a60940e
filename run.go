package main

import (
	"context"

	"github.com/urfave/cli/v3"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "create and start a container, and wait for its end",
		ArgsUsage: "ID",
		Description: "Creates and starts the container ID from a bundle, passes signals on to it, deletes it when it ends, and\n" +
			"exits with its status: 128 and the number of the signal if one ended it.",
		Flags: append(createFlags(),
			&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "do not wait for the container"},
			&cli.BoolFlag{Name: "keep", Usage: "do not delete the container when it ends"},
			&cli.BoolFlag{Name: "no-subreaper", Usage: "do not become the reaper of the container's orphans"},
		),
		Action: run,
	}
}

func run(_ context.Context, c *cli.Command) error {
	id, err := onlyID(c)
	if err != nil {
		return err
	}
	created, err := createContainer(c, id, nil)
	if err != nil {
		return err
	}
	if err := created.Start(); err != nil {
		created.Wait()
		_ = created.Delete(true)
		return err
	}
	if c.Bool("detach") {
		return nil
	}
	logger.flush()
	status := created.Wait()
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
