package main

import (
	"context"

	"github.com/urfave/cli/v3"
)

func resumeCommand() *cli.Command {
	return &cli.Command{
		Name:        "resume",
		Usage:       "let the processes of a paused container go on",
		ArgsUsage:   "ID",
		Description: "Ends what pause began.",
		Action:      resume,
	}
}

func resume(_ context.Context, c *cli.Command) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	return container.Resume()
}
