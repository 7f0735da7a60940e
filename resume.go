package main

import "oci-run/internal/cli"

var resumeCommand = cli.Command{
	Name:        "resume",
	Usage:       "let the processes of a paused container go on",
	Arguments:   "ID",
	Description: "Ends what pause began.",
	Action:      resume,
	Next:        pausedIDs,
}

func resume(c *cli.Call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	return container.Resume()
}
