package libcontainer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"oci-run/libcontainer"
	"oci-run/specconv"
)

// A run: nobody else can start the container, and it ends if this process does before the start.
func ExampleCreated_Start() {
	dir, err := os.MkdirTemp("", "run-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := run(dir); err != nil {
		fmt.Println(err)
	}
	// Output:
	// the container exited with 3
}

func run(dir string) error {
	if err := makeBundle(dir, "sh", "-c", "exit 3"); err != nil {
		return err
	}
	bundle, err := specconv.Load(dir)
	if err != nil {
		return err
	}
	factory := &libcontainer.Factory{Root: filepath.Join(dir, "state"), CgroupDriver: libcontainer.DriverCgroupfs}
	created, err := factory.Create("run", bundle, &libcontainer.CreateOptions{Starts: true})
	if err != nil {
		return err
	}
	err = created.Start() // or created.Abandon(), if it comes to nothing
	code := reap(created.PID, created.PidFD)
	if err == nil {
		fmt.Println("the container exited with", code)
	}
	return errors.Join(err, created.Delete(true))
}
