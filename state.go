package main

import (
	"io"

	"oci-run/libcontainer/oncejson"
)

var stateCommand = command{
	name:        "state",
	usage:       "print the state of a container",
	arguments:   "ID",
	description: "Prints the state of the container ID in JSON, as runtime-spec defines it.",
	action:      printState,
}

func printState(c *call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	s, err := container.State()
	if err != nil {
		return err
	}
	return printJSON(c.out, s)
}

// printJSON prints a value for people and programs: indented, one line feed at the end.
func printJSON(w io.Writer, value any) error {
	text, err := oncejson.EncodeIndented(value)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
