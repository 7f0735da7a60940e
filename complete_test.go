package main

import (
	"io"
	"strings"
	"testing"

	"oci-run/internal/cli"
	"oci-run/internal/logfile"
	"oci-run/libcontainer"
)

// The words that completion offers for an option are those that its error lists.
func TestCompletedValuesAreAllThatAreTaken(t *testing.T) {
	root := t.TempDir()
	check := func(verb string, o *cli.Option) {
		if len(o.Values) == 0 {
			return
		}
		app := newApp()
		app.Out = io.Discard
		app.Begin = func(options cli.Options) error { return new(logfile.Log).Open(options) }
		line := []string{"oci-run", "--root", root, verb, "--" + o.Name, "wrong"}
		if verb != "list" {
			line = append(line, "id")
		}
		_, err := app.Run(line)
		switch o.Name { // the container comes first
		case "manage-cgroups-mode":
			err = (&libcontainer.CheckpointOptions{ManageCgroups: "wrong"}).Check()
		case "empty-ns":
			err = (&libcontainer.CheckpointOptions{ManageCgroups: "soft", EmptyNS: []string{"wrong"}}).Check()
		}
		if err == nil {
			t.Errorf("%s --%s wrong: no error", verb, o.Name)
			return
		}
		for _, value := range o.Values {
			if !strings.Contains(err.Error(), value) {
				t.Errorf("%s --%s wrong: %v; it does not list %q", verb, o.Name, err, value)
			}
		}
	}
	for i := range globalOptions {
		check("state", &globalOptions[i])
	}
	for _, c := range commands {
		for _, group := range c.Own() {
			for i := range group {
				check(c.Name, &group[i])
			}
		}
	}
}
