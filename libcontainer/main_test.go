package libcontainer

import (
	"debug/elf"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"oci-run/tests/fdleak"
)

// The examples make containers. As init of these, this binary never comes here: package initproc
// takes it over.
func TestMain(m *testing.M) {
	if err := canMakeContainers(); err != nil {
		fmt.Println("libcontainer's examples are skipped:", err)
		if err := flag.Set("test.skip", "^Example"); err != nil {
			panic(err)
		}
	}
	fdleak.Main(m)
}

// canMakeContainers asks for what the examples need: a static binary, busybox, and new namespaces
// without a user namespace.
func canMakeContainers() error {
	if err := isStatic(); err != nil {
		return err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("they need root, not uid %d", os.Geteuid())
	}
	probe := exec.Command(busybox, "true")
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET}
	if err := probe.Run(); err != nil {
		return fmt.Errorf("make namespaces: %w", err)
	}
	return nil
}

// isStatic tells whether this binary can be init, which may not open files until Go has started.
// One with the race detector isn't static.
func isStatic() error {
	self, err := elf.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	libraries, err := self.ImportedLibraries()
	if err == nil && len(libraries) > 0 {
		err = fmt.Errorf("this binary is not static (CGO_ENABLED=0), it needs %v", libraries)
	}
	return err
}
