package main

import "oci-run/internal/cli"

var pauseCommand = cli.Command{
	Name:        "pause",
	Usage:       "suspend all processes of a container",
	Arguments:   "ID",
	Description: "Freezes the processes of the container ID, which is running or created, until resume.",
	Action:      pause,
	Next:        pausableIDs,
}

func pause(c *cli.Call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	return container.Pause()
}
