package main

import (
	"context"

	"github.com/urfave/cli/v3"
)

func pauseCommand() *cli.Command {
	return &cli.Command{
		Name:        "pause",
		Usage:       "suspend all processes of a container",
		ArgsUsage:   "ID",
		Description: "Freezes the processes of the container ID, which is running or created, until resume.",
		Action:      pause,
	}
}

func pause(_ context.Context, c *cli.Command) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	return container.Pause()
}
