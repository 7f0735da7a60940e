package initproc

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/syncpipe"
)

// received gives init's container after a plan has come with files of these names, each with its
// name as its content.
func received(t *testing.T, plan *Plan, names ...string) (*container, error) {
	t.Helper()
	parent, child, err := syncpipe.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	var files []syncpipe.File
	for _, name := range names {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(name); err != nil {
			t.Fatal(err)
		}
		files = append(files, syncpipe.File{Name: name, File: f})
	}
	if err := parent.Config(plan, files...); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(child.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	child.Close()
	c := &container{sync: syncpipe.NewInit(uintptr(fd))}
	t.Cleanup(func() { c.sync.Close() })
	came, err := c.sync.Config(&c.plan)
	if err != nil {
		t.Fatal(err)
	}
	err = c.take(came)
	_ = came.Close()
	return c, err
}

// Init takes what its plan asks for by name, whatever the order, and refuses what is missing or
// not asked for.
func TestTake(t *testing.T) {
	hooks := specs.Hooks{StartContainer: []specs.Hook{{Path: "/hook"}}}
	for _, test := range []struct {
		plan  Plan
		names []string
	}{
		{Plan{}, []string{StartChannel}},
		{Plan{Starts: true}, nil},
		{Plan{Starts: true, Terminal: &console.Plan{}}, []string{ConsoleSocket}},
		{Plan{Exec: &Exec{}, Terminal: &console.Plan{}}, []string{ContainerInit, ConsoleSocket}},
		{
			Plan{Hooks: hooks, Terminal: &console.Plan{}, Root: rootfs.Plan{Prepared: []int{-1, 2}}},
			[]string{StartChannel, StartingLock, ConsoleSocket, PreparedMount(-1), PreparedMount(2)},
		},
	} {
		backwards := slices.Clone(test.names)
		slices.Reverse(backwards)
		c, err := received(t, &test.plan, backwards...)
		if err != nil {
			t.Errorf("%q: %v", test.names, err)
		}
		checkTaken(t, c, test.names)
		for i, missing := range test.names {
			c, err := received(t, &test.plan, slices.Delete(slices.Clone(test.names), i, i+1)...)
			if err == nil || !strings.Contains(err.Error(), `no fd named "`+missing+`"`) {
				t.Errorf("%q without %q: %v", test.names, missing, err)
			}
			checkTaken(t, c, nil)
		}
		c, err = received(t, &test.plan, append(test.names, "stranger")...)
		if err == nil || !strings.Contains(err.Error(), `unexpected fds ["stranger"]`) {
			t.Errorf("%q and a stranger: %v", test.names, err)
		}
		checkTaken(t, c, nil)
	}
}

// checkTaken closes what a container has taken, and compares it with what it should have.
func checkTaken(t *testing.T, c *container, want []string) {
	t.Helper()
	taken := map[string]*os.File{
		StartChannel: c.channel, StartingLock: c.starting, ContainerInit: c.pidfd, ConsoleSocket: c.socket,
	}
	for i, f := range c.prepared {
		taken[PreparedMount(c.plan.Root.Prepared[i])] = f
	}
	for name, f := range taken {
		if f == nil {
			continue
		}
		content := make([]byte, 64)
		n, _ := f.ReadAt(content, 0)
		f.Close()
		if want != nil && string(content[:n]) != name {
			t.Errorf("%q is %q", name, content[:n])
		}
	}
	for _, name := range want {
		if taken[name] == nil {
			t.Errorf("%q was not taken", name)
		}
	}
}
