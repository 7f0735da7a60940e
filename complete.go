package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/cli"
	"oci-run/internal/log"
	"oci-run/internal/screen"
	"oci-run/libcontainer"
)

// completeWord is the first argument by which the scripts in contrib/completions ask what can stand
// in the place of the last one. It is no verb: nobody else needs it.
const completeWord = "__complete"

// complete prints what can stand in the place of the last of the words, a candidate on each line
// and behind a tab what it means. ":files" and ":dirs" stand for the names of these.
func complete(words []string, out io.Writer) {
	log.SetHandler(log.Discard{}) // the line that is being written is no place for warnings
	found := newApp().Complete(words)
	for _, c := range found.Candidates {
		fmt.Fprintf(out, "%s\t%s\n", c.Word, screen.Printable(c.Text))
	}
	if found.Files {
		fmt.Fprintln(out, ":files")
	}
	if found.Dirs {
		fmt.Fprintln(out, ":dirs")
	}
}

// What follows in the table of a verb: containers in the states that the verb wants.

// allIDs are those too whose record can't be read: a forced delete is for them.
func allIDs(c *cli.Call) []cli.Candidate {
	list := oneID(c)
	f, err := newFactory(c)
	if err != nil || len(c.Args) > 0 {
		return list
	}
	ids, _ := f.IDs()
	for _, id := range ids {
		if !slices.ContainsFunc(list, func(known cli.Candidate) bool { return known.Word == id }) {
			list = append(list, cli.Candidate{Word: id, Text: "its record is unreadable"})
		}
	}
	return list
}

func createdIDs(c *cli.Call) []cli.Candidate { return oneID(c, specs.StateCreated) }

func pausedIDs(c *cli.Call) []cli.Candidate { return oneID(c, libcontainer.Paused) }

func pausableIDs(c *cli.Call) []cli.Candidate {
	return oneID(c, specs.StateCreated, specs.StateRunning)
}

func checkpointableIDs(c *cli.Call) []cli.Candidate {
	return oneID(c, specs.StateRunning, libcontainer.Paused)
}

func livingIDs(c *cli.Call) []cli.Candidate {
	return oneID(c, specs.StateCreated, specs.StateRunning, libcontainer.Paused)
}

// livingIDsEach is livingIDs for a verb that takes any number of them.
func livingIDsEach(c *cli.Call) []cli.Candidate {
	return livingIDs(&cli.Call{Options: c.Options})
}

// oneID are the containers in some of the states, or in any if none is given, for a verb that takes
// one.
func oneID(c *cli.Call, wanted ...specs.ContainerState) []cli.Candidate {
	if len(c.Args) > 0 {
		return nil
	}
	all, err := states(c)
	if err != nil {
		return nil
	}
	var list []cli.Candidate
	for _, s := range all {
		if len(wanted) == 0 || slices.Contains(wanted, s.Status) {
			list = append(list, cli.Candidate{Word: s.ID, Text: statusText(s) + ", " + s.Bundle})
		}
	}
	return list
}

// nextOfDelete: a forced delete takes containers in all states.
func nextOfDelete(c *cli.Call) []cli.Candidate {
	switch {
	case c.Bool("regex"):
		return nil
	case c.Bool("force"):
		return allIDs(c)
	}
	return oneID(c, specs.StateCreated, specs.StateStopped)
}

// nextOfKill: the signal follows the container.
func nextOfKill(c *cli.Call) []cli.Candidate {
	switch {
	case len(c.Args) == 1:
		return signalCandidates()
	case c.Bool("regex"):
		return nil
	case c.Bool("all"):
		return allIDs(c) // of one that has stopped, processes may be left
	}
	return livingIDs(c)
}

// signalCandidates are all that have names, with and without SIG; zsh and fish show the numbers.
func signalCandidates() []cli.Candidate {
	var list []cli.Candidate
	for _, name := range signalNames() {
		number := fmt.Sprint(int(unix.SignalNum(name)))
		list = append(list, cli.Candidate{Word: strings.TrimPrefix(name, "SIG"), Text: number}, cli.Candidate{Word: name, Text: number})
	}
	return list
}

func capabilityNames() []string { return libcontainer.Features().Linux.Capabilities }
