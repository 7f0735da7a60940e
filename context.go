package main

import (
	"fmt"
	"path/filepath"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
)

// newFactory makes the factory that the global options describe.
func newFactory(c *cli.Call) (*libcontainer.Factory, error) {
	return factory(c, libcontainer.DefaultRoot)
}

// planningFactory is newFactory for who makes nothing, not even the directory of containers.
func planningFactory(c *cli.Call) (*libcontainer.Factory, error) {
	return factory(c, func() (string, error) { return libcontainer.PlannedRoot(), nil })
}

// factory takes the directory of containers from the options, or else from a function.
func factory(c *cli.Call, otherwise func() (string, error)) (*libcontainer.Factory, error) {
	rootless, err := isRootless(c.String("rootless"))
	if err != nil {
		return nil, err
	}
	driver, err := cgroupDriver(c)
	if err != nil {
		return nil, err
	}
	root := c.String("root")
	if root == "" {
		if root, err = otherwise(); err != nil {
			return nil, err
		}
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	return &libcontainer.Factory{Root: root, CgroupDriver: driver, Rootless: rootless}, nil
}

func cgroupDriver(c *cli.Call) (string, error) {
	switch name := c.String("cgroup-manager"); {
	case name == "" && c.Bool("systemd-cgroup"), name == libcontainer.DriverSystemd:
		return libcontainer.DriverSystemd, nil
	case name == "", name == libcontainer.DriverCgroupfs:
		return libcontainer.DriverCgroupfs, nil
	case name == libcontainer.DriverDisabled:
		return name, nil
	default:
		return "", fmt.Errorf("--cgroup-manager %q: must be cgroupfs, systemd or disabled", name)
	}
}

// isRootless tells whether missing privileges are to be tolerated.
func isRootless(option string) (bool, error) {
	switch option {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "auto", "":
		return libcontainer.Unprivileged(), nil
	}
	return false, fmt.Errorf("--rootless %q: must be true, false or auto", option)
}

// onlyID returns the single argument of a verb that takes a container's ID.
func onlyID(c *cli.Call) (string, error) {
	if len(c.Args) != 1 {
		return "", fmt.Errorf("%q takes exactly one argument, the container's ID; there are %d", c.Verb, len(c.Args))
	}
	return c.Args[0], nil
}

// load finds the container that a verb's first argument names.
func load(c *cli.Call) (*libcontainer.Container, error) {
	if len(c.Args) == 0 {
		return nil, fmt.Errorf("%q needs the container's ID", c.Verb)
	}
	f, err := newFactory(c)
	if err != nil {
		return nil, err
	}
	return f.Load(c.Args[0])
}
