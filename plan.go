package main

import (
	"fmt"
	"io"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
	"oci-run/specconv"
)

var planCommand = cli.Command{
	Name:      "plan",
	Usage:     "tell what a create would do, without doing it",
	Arguments: "[ID]",
	Description: "Tells what a create of the bundle would do on this host: namespaces and id mappings, the cgroup with each file and its value, mounts\n" +
		"with what their sources lead to, devices, masked paths, capabilities as the kernel will show them, the seccomp filter, hooks with their\n" +
		"moments, and the system calls of the process. Nothing is made. Two plans can be compared: nothing in them depends on when they were made.",
	Options: [][]cli.Option{{
		{Name: "bundle", Alias: "b", Usage: "`DIR` of the bundle, with config.json (default: the current directory)"},
		{Name: "config", Usage: "`FILE` to take in the place of the bundle's config.json"},
		{Name: "json", Kind: cli.Boolean, Usage: "print JSON"},
		{Name: "no-pivot", Kind: cli.Boolean, Usage: "as of create"},
		{Name: "no-new-keyring", Kind: cli.Boolean, Usage: "as of create"},
		{Name: "preserve-fds", Kind: cli.Number, Value: "0", Usage: "hand over `N` fds, as of create"},
	}},
	Action: plan,
}

// planID is the container's name if none is given.
const planID = "container"

func plan(c *cli.Call) error {
	id := planID
	switch len(c.Args) {
	case 0:
	case 1:
		id = c.Args[0]
	default:
		return fmt.Errorf("%q takes one argument at most, the container's ID; there are %d", c.Verb, len(c.Args))
	}
	f, err := planningFactory(c)
	if err != nil {
		return err
	}
	b, err := specconv.LoadWith(c.String("config"), c.String("bundle"))
	if err != nil {
		return err
	}
	v, err := f.Preview(id, b, &libcontainer.CreateOptions{
		NoPivot: c.Bool("no-pivot"), NoNewKeyring: c.Bool("no-new-keyring"), PreserveFDs: c.Int("preserve-fds"),
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.Out, v)
	}
	_, err = io.WriteString(c.Out, v.Text())
	return err
}
