package main

import (
	"io"

	"oci-run/internal/cli"
	"oci-run/internal/oncejson"
)

var stateCommand = cli.Command{
	Name:        "state",
	Usage:       "print the state of a container",
	Arguments:   "ID",
	Description: "Prints the state of the container ID in JSON, as runtime-spec defines it.",
	Action:      printState,
	Next:        allIDs,
}

func printState(c *cli.Call) error {
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
	return printJSON(c.Out, s)
}

// printJSON prints a value for people and programs: indented, one line feed at the end.
func printJSON(w io.Writer, value any) error {
	text, err := oncejson.EncodeIndented(value, "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// printLine prints a value for programs: in a line.
func printLine(w io.Writer, value any) error {
	text, err := oncejson.Encode(value)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
