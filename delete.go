package main

import (
	"errors"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
)

var deleteCommand = cli.Command{
	Name:        "delete",
	Usage:       "delete a container",
	Arguments:   "ID",
	Description: "Removes all that is left of a container that has stopped or was never started.",
	Options: [][]cli.Option{{
		{Name: "force", Alias: "f", Kind: cli.Boolean, Usage: "kill the container if it runs; no error if there is none"},
	}},
	Action: deleteContainer,
}

func deleteContainer(c *cli.Call) error {
	id, err := onlyID(c)
	if err != nil {
		return err
	}
	f, err := newFactory(c)
	if err != nil {
		return err
	}
	force := c.Bool("force")
	err = f.Delete(id, force)
	if force && errors.Is(err, libcontainer.ErrNotExist) {
		return nil
	}
	return err
}
