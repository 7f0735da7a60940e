package main

import (
	"errors"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
)

var deleteCommand = cli.Command{
	Name:      "delete",
	Usage:     "delete a container",
	Arguments: "ID",
	Description: "Removes all that is left of a container that has stopped or was never started.\n" +
		"With --regex, ID is an expression, and those that it matches are deleted.",
	Options: [][]cli.Option{{
		{Name: "force", Alias: "f", Kind: cli.Boolean, Usage: "kill the container if it runs; no error if there is none"},
		regexOption,
	}},
	Action: deleteContainer,
	Next:   nextOfDelete,
}

func deleteContainer(c *cli.Call) error {
	id, err := onlyID(c)
	if err != nil {
		return err
	}
	force := c.Bool("force")
	if c.Bool("regex") {
		return eachMatch(c, func(f *libcontainer.Factory, id string) error { return f.Delete(id, force) })
	}
	f, err := newFactory(c)
	if err != nil {
		return err
	}
	err = f.Delete(id, force)
	if force && errors.Is(err, libcontainer.ErrNotExist) {
		return nil
	}
	return err
}
