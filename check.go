package main

import (
	"fmt"
	"io"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
	"oci-run/specconv"
)

var checkCommand = cli.Command{
	Name:  "check",
	Usage: "find all that is the matter with a bundle, or tell what this host has",
	Description: "With --bundle or --config, lists everything that is the matter with the bundle on this host, in order of place: what the\n" +
		"specification forbids, properties and names that nothing knows, what has an effect that hardly anybody wants, and what this host\n" +
		"can't give. Nothing is made. The exit status is 1 if there is a fault, and 2 with --strict if there are only warnings.\n" +
		"Without either, tells what the host has and lets its user have, as a report of a problem needs it.",
	Options: [][]cli.Option{{
		{Name: "bundle", Alias: "b", Usage: "`DIR` of the bundle, with config.json"},
		{Name: "config", Usage: "`FILE` with another configuration for the bundle (default of --bundle: the current directory)"},
		{Name: "json", Kind: cli.Boolean, Usage: "print JSON"},
		{Name: "strict", Kind: cli.Boolean, Usage: "let warnings fail"},
	}},
	Action: check,
}

// The exit statuses of check.
const (
	exitFaults   exitStatus = 1
	exitWarnings exitStatus = 2 // with --strict
)

func check(c *cli.Call) error {
	if len(c.Args) != 0 {
		return fmt.Errorf("%q takes no arguments; there are %d", c.Verb, len(c.Args))
	}
	f, err := planningFactory(c)
	if err != nil {
		return err
	}
	if !c.IsSet("bundle") && !c.IsSet("config") {
		return printHost(c, f.Host())
	}
	survey, err := specconv.NewSurvey(c.String("config"), c.String("bundle"))
	if err != nil {
		return err
	}
	f.Check(survey)
	report := survey.Report()
	if c.Bool("json") {
		err = printJSON(c.Out, report)
	} else {
		_, err = io.WriteString(c.Out, report.Text())
	}
	switch {
	case err != nil:
		return err
	case report.Faults > 0:
		return exitFaults
	case report.Warnings > 0 && c.Bool("strict"):
		return exitWarnings
	}
	return nil
}

func printHost(c *cli.Call, h *libcontainer.Host) error {
	h.Version, h.Commit = version, commit
	if c.Bool("json") {
		return printJSON(c.Out, h)
	}
	_, err := io.WriteString(c.Out, h.Text())
	return err
}
