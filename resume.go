package main

var resumeCommand = command{
	name:        "resume",
	usage:       "let the processes of a paused container go on",
	arguments:   "ID",
	description: "Ends what pause began.",
	action:      resume,
}

func resume(c *call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	return container.Resume()
}
