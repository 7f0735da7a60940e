package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"oci-run/libcontainer"
	"oci-run/libcontainer/cgroups"
	"oci-run/libcontainer/idmap"
)

// newFactory makes the factory that the global options describe.
func newFactory(c *call) (*libcontainer.Factory, error) {
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
		if root, err = defaultRoot(); err != nil {
			return nil, err
		}
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	return &libcontainer.Factory{Root: root, CgroupDriver: driver, Rootless: rootless}, nil
}

func cgroupDriver(c *call) (string, error) {
	switch name := c.String("cgroup-manager"); {
	case name == "" && c.Bool("systemd-cgroup"), name == cgroups.DriverSystemd:
		return cgroups.DriverSystemd, nil
	case name == "", name == cgroups.DriverCgroupfs:
		return cgroups.DriverCgroupfs, nil
	case name == cgroups.DriverDisabled:
		return name, nil
	default:
		return "", fmt.Errorf("--cgroup-manager %q: must be cgroupfs, systemd or disabled", name)
	}
}

// isRootless tells whether missing privileges are to be tolerated. An ordinary user has
// none; root of a user namespace may lack some, above all for cgroups.
func isRootless(option string) (bool, error) {
	switch option {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "auto", "":
		return os.Geteuid() != 0 || idmap.InUserNamespace(), nil
	}
	return false, fmt.Errorf("--rootless %q: must be true, false or auto", option)
}

// defaultRoot is /run/oci-run for root, and below $XDG_RUNTIME_DIR for users, which a
// user who became root of his own user namespace still is: Podman tells that root who he is
// by nothing but XDG_RUNTIME_DIR.
func defaultRoot() (string, error) {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	ordinary := os.Geteuid() != 0 || dir != "" && os.Getenv("USER") != "root" && idmap.InUserNamespace()
	if dir == "" || !ordinary {
		if os.Geteuid() != 0 {
			return "", errors.New("neither --root nor XDG_RUNTIME_DIR is set; an ordinary user needs one of them")
		}
		return "/run/oci-run", nil
	}
	root := filepath.Join(dir, "oci-run")
	// The sticky bit keeps the cleaners of XDG_RUNTIME_DIR away (XDG Base Directory
	// Specification).
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	return root, os.Chmod(root, 0o700|os.ModeSticky)
}

// onlyID returns the single argument of a verb that takes a container's ID.
func onlyID(c *call) (string, error) {
	if len(c.args) != 1 {
		return "", fmt.Errorf("%s: %q takes exactly one argument, the container's ID; there are %d", c.program, c.verb, len(c.args))
	}
	return c.args[0], nil
}

// load finds the container that a verb's first argument names.
func load(c *call) (*libcontainer.Container, error) {
	if len(c.args) == 0 {
		return nil, fmt.Errorf("%s: %q needs the container's ID", c.program, c.verb)
	}
	f, err := newFactory(c)
	if err != nil {
		return nil, err
	}
	return f.Load(c.args[0])
}
