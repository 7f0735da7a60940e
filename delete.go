package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v3"

	"oci-run/libcontainer/state"
)

func deleteCommand() *cli.Command {
	return &cli.Command{
		Name:        "delete",
		Usage:       "delete a container",
		ArgsUsage:   "ID",
		Description: "Removes all that is left of a container that has stopped or was never started.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "kill the container if it runs; no error if there is none"},
		},
		Action: deleteContainer,
	}
}

func deleteContainer(_ context.Context, c *cli.Command) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	force := c.Bool("force")
	container, err := load(c)
	if err == nil {
		err = container.Delete(force)
	}
	if force && errors.Is(err, state.ErrNotExist) {
		return nil
	}
	return err
}
