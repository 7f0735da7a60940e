package libcontainer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer"
	"oci-run/specconv"
)

// A container's life, as an engine leads it: create, start, pause, resume, another process in it,
// delete.
func Example() {
	dir, err := os.MkdirTemp("", "life-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := life(dir); err != nil {
		fmt.Println(err)
	}
	// Output:
	// created
	// running
	// paused
	// the process exited with 7
	// deleted
}

func life(dir string) error {
	if err := makeBundle(dir, "sleep", "60"); err != nil {
		return err
	}
	bundle, err := specconv.Load(dir)
	if err != nil {
		return err // with the line, column and field of config.json
	}
	factory := &libcontainer.Factory{Root: filepath.Join(dir, "state"), CgroupDriver: libcontainer.DriverCgroupfs}
	created, err := factory.Create("life", bundle, &libcontainer.CreateOptions{})
	if err != nil {
		return err // nothing is left of the container
	}
	defer reap(created.PID, created.PidFD)
	defer created.Delete(true)

	if _, err := factory.Create("life", bundle, &libcontainer.CreateOptions{}); !errors.Is(err, libcontainer.ErrExist) {
		return fmt.Errorf("its ID was free: %w", err)
	}
	if err := printStatus(created.Container); err != nil {
		return err
	}
	// Any other process could do this, later, with what factory.Load("life") returns.
	if err := created.Container.Start(); err != nil {
		return err
	}
	if err := printStatus(created.Container); err != nil {
		return err
	}
	if err := pause(created.Container); err != nil {
		return err
	}
	code, err := execute(created.Container, "sh", "-c", "exit 7")
	if err != nil {
		return err
	}
	fmt.Println("the process exited with", code)

	if err := created.Delete(true); err != nil {
		return err
	}
	if _, err := factory.Load("life"); !errors.Is(err, libcontainer.ErrNotExist) {
		return fmt.Errorf("it still exists: %w", err)
	}
	fmt.Println("deleted")
	return nil
}

func printStatus(c *libcontainer.Container) error {
	state, err := c.State()
	if err == nil {
		fmt.Println(state.Status)
	}
	return err
}

// pause stops the container's processes, and lets them go on.
func pause(c *libcontainer.Container) error {
	if err := c.Pause(); err != nil {
		return err
	}
	state, err := c.State()
	if err != nil {
		return err
	}
	if state.Status == libcontainer.Paused {
		fmt.Println("paused")
	}
	if err := c.Resume(); err != nil {
		return err
	}
	if err := c.Resume(); !errors.Is(err, libcontainer.ErrNotPaused) {
		return fmt.Errorf("it was still paused: %w", err)
	}
	return nil
}

// execute runs a command of busybox in the container and returns its exit status.
func execute(c *libcontainer.Container, command ...string) (code int, err error) {
	config, err := c.Config()
	if err != nil {
		return 0, err
	}
	// What is left out is as in the container's own process.
	process := &specs.Process{Cwd: "/", Args: append([]string{"/bin/busybox"}, command...)}
	executed, err := c.Exec(process, config, &libcontainer.ExecOptions{})
	if err != nil {
		return 0, err
	}
	if err := executed.Start(); err != nil {
		return 0, errors.Join(err, executed.PidFD.Close())
	}
	return reap(executed.PID, executed.PidFD), nil
}

// reap waits for the end of a process that create or exec has made: it is a child of this one.
func reap(pid int, pidfd *os.File) (code int) {
	defer pidfd.Close()
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &status, 0, nil); !errors.Is(err, syscall.EINTR) {
			return status.ExitStatus()
		}
	}
}

// makeBundle writes a bundle whose container executes a command of busybox, which is static.
func makeBundle(dir string, command ...string) error {
	spec := specconv.Default()
	spec.Process.Terminal = false
	spec.Process.Args = append([]string{"/bin/busybox"}, command...)
	config, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		return err
	}
	path, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	bin := filepath.Join(dir, "rootfs", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bin, "busybox"), program, 0o755)
}
