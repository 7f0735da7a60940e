package libcontainer

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups"
	"oci-run/specconv"
)

// Anybody here can make the network namespace, unless it is to be the new user namespace's.
func TestOwnNetwork(t *testing.T) {
	network := specs.LinuxNamespace{Type: specs.NetworkNamespace}
	joined := specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/proc/1/ns/net"}
	user := specs.LinuxNamespace{Type: specs.UserNamespace}
	for _, c := range []struct {
		what string
		list []specs.LinuxNamespace
		want bool
	}{
		{"none", nil, false},
		{"a new one", []specs.LinuxNamespace{network}, true},
		{"one that exists", []specs.LinuxNamespace{joined}, false},
		{"a new one, with a user namespace", []specs.LinuxNamespace{network, user}, false},
		{"a user namespace only", []specs.LinuxNamespace{user}, false},
	} {
		if got := ownNetwork(c.list); got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}

func TestTimeOffsets(t *testing.T) {
	if got := timeOffsets(nil); got != "" {
		t.Errorf("without offsets: got %q", got)
	}
	got := timeOffsets(map[string]specs.LinuxTimeOffset{"monotonic": {Secs: -7, Nanosecs: 5}, "boottime": {Secs: 3600}})
	lines := strings.SplitAfter(got, "\n")
	if len(lines) != 3 || !strings.Contains(got, "monotonic -7 5\n") || !strings.Contains(got, "boottime 3600 0\n") {
		t.Errorf("got %q, want a line for each clock", got)
	}
}

// --preserve-fds promises descriptors that have to exist.
func TestPreserved(t *testing.T) {
	if err := preserved(0); err != nil {
		t.Errorf("none: %v", err)
	}
	if err := preserved(-1); err == nil || !strings.Contains(err.Error(), "--preserve-fds -1: must not be negative") {
		t.Errorf("fewer than none: %v", err)
	}
	if err := preserved(1 << 20); err == nil || !strings.Contains(err.Error(), "is not open") {
		t.Errorf("more than there are: %v", err)
	}
}

// A run commits ahead of init's being ready if nothing has to be done between that and the start.
func TestUnattended(t *testing.T) {
	spec := &specs.Spec{}
	cgroup, err := cgroups.New(spec, cgroups.Options{Driver: cgroups.DriverDisabled})
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() *creation {
		return &creation{
			options: &CreateOptions{Starts: true}, bundle: &specconv.Bundle{Spec: spec}, plan: &plan{cgroup: cgroup},
		}
	}
	if !fresh().unattended() {
		t.Error("a plain run is not unattended")
	}
	for what, change := range map[string]func(c *creation){
		"a create":          func(c *creation) { c.options.Starts = false },
		"a pid file":        func(c *creation) { c.options.PIDFile = "pid" },
		"a pidfd socket":    func(c *creation) { c.options.PidfdSocket = "socket" },
		"a console socket":  func(c *creation) { c.options.ConsoleSocket = os.Stdin },
		"a service manager": func(c *creation) { c.options.Notify = true },
		"hooks":             func(c *creation) { c.bundle.Spec.Hooks = &specs.Hooks{} },
		"a user namespace":  func(c *creation) { c.plan.init.UserNamespace = true },
	} {
		c := fresh()
		change(c)
		if c.unattended() {
			t.Errorf("%s: the run is unattended", what)
		}
	}
}
