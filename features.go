package main

import (
	"fmt"
	"maps"

	"github.com/opencontainers/runtime-spec/specs-go/features"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
)

var featuresCommand = cli.Command{
	Name:  "features",
	Usage: "print what this oci-run can do",
	Description: "Prints the features of oci-run in JSON, as runtime-spec (features.md) defines it: what it can do on a host that has\n" +
		"everything. With --host, annotations (io.github.oci-run.host.*) say what this host has of that. See also check.",
	Options: [][]cli.Option{{
		{Name: "host", Kind: cli.Boolean, Usage: "add annotations with what this host has"},
	}},
	Action: printFeatures,
}

func printFeatures(c *cli.Call) error {
	if len(c.Args) != 0 {
		return fmt.Errorf("%q takes no arguments; there are %d", c.Verb, len(c.Args))
	}
	known := supported()
	if c.Bool("host") {
		f, err := newFactory(c)
		if err != nil {
			return err
		}
		maps.Copy(known.Annotations, f.Host().Annotations())
	}
	return printJSON(c.Out, known)
}

// supported is what libcontainer can do, with the names of this build.
func supported() *features.Features {
	f := libcontainer.Features()
	f.Annotations = map[string]string{
		"io.github.oci-run.version": version,
		"io.github.oci-run.commit":  commit,
		// Callers look for runc's name of it.
		"org.opencontainers.runc.checkpoint.enabled": "true",
	}
	return f
}
