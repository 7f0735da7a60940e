package main

import (
	"fmt"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
)

var waitCommand = cli.Command{
	Name:      "wait",
	Usage:     "wait for the end of a container and tell how it ended",
	Arguments: "ID",
	Description: "Waits until the process of the container ID has ended, and prints its exit status, or 128 and the number of\n" +
		"the signal that ended it. The container can be somebody else's child.",
	Options: [][]cli.Option{{
		{Name: "format", Value: "text", Values: []string{"text", "json"}, Usage: "output `FORMAT`: text, or json with the signal and whether memory ran out"},
		{Name: "status", Kind: cli.Boolean, Usage: "also exit with that status"},
	}},
	Action: wait,
	Next:   allIDs,
}

// ending is what wait prints with --format json.
type ending struct {
	ID       string `json:"id"`
	ExitCode int    `json:"exitCode"`
	Signal   string `json:"signal,omitempty"`
	OOM      bool   `json:"oom"`
}

func wait(c *cli.Call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	format := c.String("format")
	if format != "text" && format != "json" {
		return fmt.Errorf("--format %q: must be text or json", format)
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	end, err := container.Wait()
	if err != nil {
		return err
	}
	if err := printEnding(c, container.ID(), end, format); err != nil {
		return err
	}
	if c.Bool("status") && end.Code != 0 {
		return exitStatus(end.Code)
	}
	return nil
}

func printEnding(c *cli.Call, id string, end *libcontainer.Ending, format string) error {
	if format == "text" {
		_, err := fmt.Fprintln(c.Out, end.Code)
		return err
	}
	return printLine(c.Out, ending{ID: id, ExitCode: end.Code, Signal: end.SignalName(), OOM: end.OOM})
}
