package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"oci-run/internal/cli"
	"oci-run/internal/log"
	"oci-run/libcontainer"
)

var eventsCommand = cli.Command{
	Name:      "events",
	Usage:     "print statistics and out-of-memory notices of a container",
	Arguments: "ID",
	Description: "Prints a JSON object per line for the container ID, until its last process has ended: its use of resources at\n" +
		"every interval, and each time that the kernel killed a process of it for want of memory.",
	Options: [][]cli.Option{{
		{Name: "interval", Kind: cli.Duration, Value: "5s", Usage: "print statistics every `TIME`"},
		{Name: "stats", Kind: cli.Boolean, Usage: "print the statistics once, now"},
	}},
	Action: events,
	Next:   livingIDs,
}

// event is a line of the output, in the order of keys that go-runc's users know.
type event struct {
	Type string              `json:"type"`
	ID   string              `json:"id"`
	Data *libcontainer.Stats `json:"data,omitempty"`
}

func events(c *cli.Call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	interval := c.Duration("interval")
	if interval <= 0 {
		return fmt.Errorf("--interval %v: must be longer than 0", interval)
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	out := c.Out
	if c.Bool("stats") {
		stats, err := container.Stats()
		if err != nil {
			return err
		}
		return printLine(out, &event{"stats", container.ID(), stats})
	}
	return follow(container, interval, out)
}

// follow prints events until the container has no process any more.
func follow(container *libcontainer.Container, interval time.Duration, out io.Writer) error {
	watch, err := container.WatchOOM()
	if err != nil {
		return err
	}
	defer watch.Close()
	next := time.Now().Add(interval)
	for {
		oom, err := watch.Wait(next)
		switch {
		case errors.Is(err, libcontainer.ErrGone):
			return nil
		case err != nil:
			return err
		case oom:
			if err := printLine(out, &event{Type: "oom", ID: container.ID()}); err != nil {
				return err
			}
			continue
		}
		next = time.Now().Add(interval)
		stats, err := container.Stats()
		if err != nil {
			// It may be ending just now, which the next look tells.
			log.Warn(err.Error())
			continue
		}
		if err := printLine(out, &event{"stats", container.ID(), stats}); err != nil {
			return err
		}
	}
}
