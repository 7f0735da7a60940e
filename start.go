package main

import (
	"os"

	"oci-run/internal/cli"
	"oci-run/internal/log"
	"oci-run/libcontainer"
)

var startCommand = cli.Command{
	Name:        "start",
	Usage:       "start a created container",
	Arguments:   "ID",
	Description: "Has the process of a created container execute its program, and returns when it does.",
	Action:      start,
	Next:        createdIDs,
}

func start(c *cli.Call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	return startAndNotify(container.Start, container)
}

// startAndNotify starts a container and, if we run under a service manager, waits until
// the container says that it is ready: then the container's process is the service.
func startAndNotify(start func() error, container *libcontainer.Container) error {
	return startAndForward(start, container, func(r *libcontainer.Readiness, manager string) { forward(r, manager, 0) })
}

// startInForeground is startAndNotify for a command that stays: it is the service, and
// waits in the background.
func startInForeground(start func() error, container *libcontainer.Container) error {
	return startAndForward(start, container, func(r *libcontainer.Readiness, manager string) { go forward(r, manager, os.Getpid()) })
}

func startAndForward(start func() error, container *libcontainer.Container, then func(*libcontainer.Readiness, string)) error {
	manager := os.Getenv(libcontainer.NotifyVariable)
	if manager == "" {
		return start()
	}
	readiness, err := container.NotifySocket()
	if err != nil {
		return err
	}
	if err := start(); err != nil {
		readiness.Close()
		return err
	}
	then(readiness, manager)
	return nil
}

// forward warns only: the container runs, and a service manager that hears nothing acts
// by itself.
func forward(r *libcontainer.Readiness, manager string, mainPID int) {
	if err := r.Forward(manager, mainPID); err != nil {
		log.Warn(err.Error())
	}
}
