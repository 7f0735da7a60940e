package idmap

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/sys/userns"

	"oci-run/libcontainer/internal/idmap"
)

// TestInUserNamespace compares where it runs, and runs itself again in a user namespace in which
// only root is mapped. Of one without a mapping theirs says that it is none: it takes the empty
// file for an error.
func TestInUserNamespace(t *testing.T) {
	if got, want := idmap.InUserNamespace(), userns.RunningInUserNS(); got != want {
		text, err := os.ReadFile("/proc/self/uid_map")
		t.Errorf("in a user namespace by %q (%v): %v; theirs says %v", text, err, got, want)
	}
	if os.Getenv("OCI_RUN_TEST_INSIDE") != "" {
		return
	}
	inside := exec.Command("/proc/self/exe", "-test.run=^TestInUserNamespace$", "-test.v")
	inside.Env = append(os.Environ(), "OCI_RUN_TEST_INSIDE=1")
	inside.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
	}
	out, err := inside.CombinedOutput()
	if err != nil && !strings.Contains(string(out), "RUN") {
		t.Skipf("the kernel makes no user namespace for us: %v", err)
	}
	if err != nil {
		t.Errorf("inside: %v\n%s", err, out)
	}
}
