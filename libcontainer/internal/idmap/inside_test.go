package idmap

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// The test runs itself again, in user namespaces: one without a mapping, one in which only root is
// mapped. Outside of them it is tests/oracle/idmap that compares.
func TestInUserNamespace(t *testing.T) {
	if os.Getenv("OCI_RUN_TEST_INSIDE") != "" {
		if !InUserNamespace() {
			text, _ := os.ReadFile("/proc/self/uid_map")
			t.Errorf("in a user namespace, and doesn't know it by %q", text)
		}
		return
	}
	for _, maps := range [][]syscall.SysProcIDMap{nil, {{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}} {
		inside := exec.Command("/proc/self/exe", "-test.run=^TestInUserNamespace$", "-test.v")
		inside.Env = append(os.Environ(), "OCI_RUN_TEST_INSIDE=1")
		inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: maps}
		out, err := inside.CombinedOutput()
		if err != nil && !strings.Contains(string(out), "RUN") {
			t.Skipf("the kernel makes no user namespace for us: %v", err)
		}
		if err != nil {
			t.Errorf("with the mappings %v: %v\n%s", maps, err, out)
		}
	}
}
