// Command runner runs a container by the package libcontainer:
//
//	runner BUNDLE ID
//
// It is what `oci-run run` does, in a page: all that the command can do, another program can.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"oci-run/libcontainer"
	"oci-run/specconv"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: runner BUNDLE ID")
		os.Exit(2)
	}
	code, err := run(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// run makes a container of the bundle, starts it, waits for it in the foreground and deletes it.
func run(dir, id string) (code int, err error) {
	// An error about the configuration names its line and column.
	bundle, err := specconv.Load(dir)
	if err != nil {
		return 0, err
	}
	for _, text := range bundle.Warnings {
		fmt.Fprintln(os.Stderr, "runner:", text)
	}

	// Containers are known by their names below a directory. This one isn't oci-run's own.
	root, err := libcontainer.DefaultRoot()
	if err != nil {
		return 0, err
	}
	factory := &libcontainer.Factory{
		Root:         filepath.Join(filepath.Dir(root), "libcontainer-example"),
		CgroupDriver: libcontainer.DriverCgroupfs,
		Rootless:     libcontainer.Unprivileged(),
	}

	// From here on a Ctrl-C is the container's.
	attendant, err := libcontainer.NewForeground([3]*os.File{os.Stdin, os.Stdout, os.Stderr})
	if err != nil {
		return 0, err
	}
	defer attendant.Close()

	// With Starts nobody else can start it, and it ends if this program does before.
	created, err := factory.Create(id, bundle, &libcontainer.CreateOptions{Starts: true})
	if err != nil {
		return 0, err
	}
	defer created.PidFD.Close()
	defer func() { err = errors.Join(err, created.Delete(true)) }()

	end, err := attendant.Attend(libcontainer.Attended{
		PID: created.PID, PidFD: created.PidFD, Start: created.Start, Abandon: created.Abandon,
	})
	switch {
	case err != nil:
		return 0, err
	case end == nil:
		return 0, errors.New("somebody else has reaped the container's process")
	}
	return end.Code, nil
}
