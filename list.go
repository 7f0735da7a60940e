package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"text/tabwriter"
	"time"

	"oci-run/internal/cli"
	"oci-run/internal/log"
	"oci-run/internal/screen"
	"oci-run/libcontainer"
)

var listCommand = cli.Command{
	Name:  "list",
	Usage: "list the containers below --root",
	Description: "Lists the containers that oci-run made with this --root. On a terminal long IDs and bundles are shortened, and\n" +
		"the age stands for the time of creation; what is read by a program, or asked for by --format, never changes.",
	Options: [][]cli.Option{{
		{Name: "format", Alias: "f", Value: "table", Values: []string{"table", "json"}, Usage: "output `FORMAT`: table or json"},
		{Name: "no-trunc", Kind: cli.Boolean, Usage: "shorten nothing on a terminal"},
		{Name: "quiet", Alias: "q", Kind: cli.Boolean, Usage: "print only IDs"},
	}},
	Action: list,
}

func list(c *cli.Call) error {
	if len(c.Args) != 0 {
		return fmt.Errorf("%q takes no arguments; there are %d", c.Verb, len(c.Args))
	}
	states, err := states(c)
	if err != nil {
		return err
	}
	w := c.Out
	size, isTerminal := screen.Of(w)
	switch format := c.String("format"); {
	case c.Bool("quiet"):
		for _, s := range states {
			fmt.Fprintln(w, s.ID)
		}
		return nil
	case format == "table" && isTerminal && !c.IsSet("format"):
		return printForPeople(w, states, size.Width, c.Bool("no-trunc"))
	case format == "table":
		return printTable(w, states)
	case format == "json":
		return printLine(w, states)
	default:
		return fmt.Errorf("--format %q: must be table or json", format)
	}
}

// states collects what list prints. The default root need not exist, one that was asked
// for does; a container that can't be read is a warning, and one that is deleted
// meanwhile is nothing at all.
func states(c *cli.Call) ([]*libcontainer.State, error) {
	f, err := newFactory(c)
	if err != nil {
		return nil, err
	}
	containers, broken, err := f.List()
	if errors.Is(err, fs.ErrNotExist) && !c.IsSet("root") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, err := range broken {
		log.Warn(err.Error())
	}
	var states []*libcontainer.State
	for _, container := range containers {
		s, err := container.State()
		switch {
		case err == nil:
			states = append(states, s)
		case !errors.Is(err, libcontainer.ErrNotExist):
			log.Warn(err.Error())
		}
	}
	return states, nil
}

func printTable(w io.Writer, states []*libcontainer.State) error {
	t := tabwriter.NewWriter(w, 12, 1, 3, ' ', 0)
	fmt.Fprint(t, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
	for _, s := range states {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\n", s.ID, s.PID, s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner)
	}
	return t.Flush()
}

// printForPeople prints the table as a terminal shows it best.
func printForPeople(w io.Writer, states []*libcontainer.State, width int, whole bool) error {
	t := screen.Table{Columns: []screen.Column{
		{Title: "ID"}, {Title: "PID", Right: true}, {Title: "STATUS"}, {Title: "AGE", Right: true}, {Title: "OWNER"}, {Title: "BUNDLE"},
	}}
	short := screen.Brief
	if whole {
		width, short = 0, func(id string) string { return id }
	}
	for _, s := range states {
		pid := "-"
		if s.PID != 0 {
			pid = strconv.Itoa(s.PID)
		}
		t.Rows = append(t.Rows, []string{
			short(s.ID), pid, statusText(s), screen.Age(time.Since(s.Created)), screen.Printable(s.Owner), screen.Printable(s.Bundle),
		})
	}
	for _, line := range t.Lines(width) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// statusText is a container's status, with its end if that is known.
func statusText(s *libcontainer.State) string {
	text := string(s.Status)
	switch e := s.Ending; {
	case e == nil:
		return text
	case e.OOM:
		return fmt.Sprintf("%s (%d, out of memory)", text, e.Code)
	case e.Signal != 0:
		return fmt.Sprintf("%s (%d, %s)", text, e.Code, e.SignalName())
	default:
		return fmt.Sprintf("%s (%d)", text, e.Code)
	}
}
