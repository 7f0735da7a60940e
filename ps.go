package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"oci-run/internal/cli"
)

var psCommand = cli.Command{
	Name:      "ps",
	Usage:     "list the processes of a container",
	Arguments: "ID [PS OPTION...]",
	Description: "Lists the processes of the container ID, with pids of the caller's pid namespace: as a table made by ps(1)\n" +
		"with the given options (default: -ef), or as a JSON array of pids.",
	Foreign: true, // what follows the ID is for ps
	Options: [][]cli.Option{{
		{Name: "format", Alias: "f", Value: "table", Values: []string{"table", "json"}, Usage: "output `FORMAT`: table or json"},
	}},
	Action: ps,
	Next:   livingIDs,
}

func ps(c *cli.Call) error {
	format := c.String("format")
	if format != "table" && format != "json" {
		return fmt.Errorf("--format %q: must be table or json", format)
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	pids, err := container.Pids()
	if err != nil {
		return err
	}
	w := c.Out
	if format == "json" {
		return printLine(w, pids)
	}
	options := c.Args[1:]
	if len(options) == 0 {
		options = []string{"-ef"}
	}
	table, err := exec.Command("ps", options...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("ps %s: %w: %s", strings.Join(options, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return fmt.Errorf("ps: %w", err)
	}
	return filterTable(w, table, pids)
}

// filterTable prints the head of a table of ps and the lines with one of the pids.
func filterTable(w io.Writer, table []byte, pids []int) error {
	column := -1
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if column < 0 {
			if column = slices.Index(fields, "PID"); column < 0 {
				return errors.New("ps: the options leave out the column PID")
			}
			fmt.Fprint(w, line)
			continue
		}
		if column >= len(fields) {
			continue
		}
		if pid, err := strconv.Atoi(fields[column]); err == nil && slices.Contains(pids, pid) {
			fmt.Fprint(w, line)
		}
	}
	return nil
}
