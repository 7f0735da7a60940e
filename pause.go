package main

var pauseCommand = command{
	name:        "pause",
	usage:       "suspend all processes of a container",
	arguments:   "ID",
	description: "Freezes the processes of the container ID, which is running or created, until resume.",
	action:      pause,
}

func pause(c *call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	return container.Pause()
}
