package main

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go/features"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
)

var featuresCommand = cli.Command{
	Name:        "features",
	Usage:       "print what this oci-run can do",
	Description: "Prints the features of oci-run in JSON, as runtime-spec (features.md) defines it.",
	Action:      printFeatures,
}

func printFeatures(c *cli.Call) error {
	if len(c.Args) != 0 {
		return fmt.Errorf("%s: %q takes no arguments; there are %d", c.CalledAs, c.Verb, len(c.Args))
	}
	return printJSON(c.Out, supported())
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
