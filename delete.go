package main

import (
	"errors"

	"oci-run/libcontainer"
)

var deleteCommand = command{
	name:        "delete",
	usage:       "delete a container",
	arguments:   "ID",
	description: "Removes all that is left of a container that has stopped or was never started.",
	options: [][]option{{
		{name: "force", alias: "f", kind: boolean, usage: "kill the container if it runs; no error if there is none"},
	}},
	action: deleteContainer,
}

func deleteContainer(c *call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	force := c.Bool("force")
	container, err := load(c)
	if err == nil {
		err = container.Delete(force)
	}
	if force && errors.Is(err, libcontainer.ErrNotExist) {
		return nil
	}
	return err
}
