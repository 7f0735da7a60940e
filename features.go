package main

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go/features"

	"oci-run/libcontainer"
)

var featuresCommand = command{
	name:        "features",
	usage:       "print what this oci-run can do",
	description: "Prints the features of oci-run in JSON, as runtime-spec (features.md) defines it.",
	action:      printFeatures,
}

func printFeatures(c *call) error {
	if len(c.args) != 0 {
		return fmt.Errorf("%s: %q takes no arguments; there are %d", c.program, c.verb, len(c.args))
	}
	return printJSON(c.out, supported())
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
