package main

import (
	"context"

	"github.com/urfave/cli/v3"
)

func startCommand() *cli.Command {
	return &cli.Command{
		Name:        "start",
		Usage:       "start a created container",
		ArgsUsage:   "ID",
		Description: "Has the process of a created container execute its program, and returns when it does.",
		Action:      start,
	}
}

func start(_ context.Context, c *cli.Command) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	return container.Start()
}
