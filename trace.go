package main

import (
	"errors"
	"strings"

	"oci-run/internal/cli"
	"oci-run/internal/log"
	"oci-run/internal/thread"
	"oci-run/internal/trace"
)

// traced calls a verb's action, and keeps its timeline if somebody wants one.
func traced(command *cli.Command, c *cli.Call) error {
	o := trace.Options{Path: c.String("trace"), Process: c.Verb, Version: version}
	if strings.HasPrefix(command.Arguments, "ID") && len(c.Args) > 0 {
		o.ID = c.Args[0]
	}
	if err := trace.Open(o); err != nil {
		return err
	}
	thread.CalmMonitor()
	span := trace.Root(c.Verb)
	err := command.Action(c)
	failed := err
	if status, ok := errors.AsType[exitStatus](err); ok {
		span.SetNumber("status", int(status))
		failed = nil
	}
	warn(span.Finish(failed))
	return err
}

// flush says what there is to say before a command waits for a container, which may be for long.
func flush() {
	logger.Flush()
	warn(trace.Flush())
}

// warn is for a timeline that can't be written: what the command was for is done.
func warn(err error) {
	if err != nil {
		log.Warn(err.Error())
	}
}
