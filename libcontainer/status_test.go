package libcontainer

import (
	"os"
	"os/exec"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/state"
)

// dead identifies a process that has ended, and been reaped.
func dead(t *testing.T) state.Process {
	t.Helper()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := state.Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return p
}

// A create commits and ends between the moment when another command reads its record and the one
// when it looks for the create: the container is not stopped.
func TestStatusWhileCreateEnds(t *testing.T) {
	self, err := state.Self()
	if err != nil {
		t.Fatal(err)
	}
	f := &Factory{Root: t.TempDir()}
	dir, err := state.Reserve(f.Root, "one")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	intent := &state.Record{ID: "one", Phase: state.Creating, Creator: dead(t)}
	if err := dir.Save(intent); err != nil {
		t.Fatal(err)
	}
	early, err := f.Load("one")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := early.currentStatus(); err != nil || status != specs.StateStopped {
		t.Errorf("a create that was killed: %q, %v; want %q", status, err, specs.StateStopped)
	}
	stands := *intent
	stands.Phase, stands.Init = state.Created, self
	if err := dir.Save(&stands); err != nil {
		t.Fatal(err)
	}
	if err := dir.Settle(); err != nil {
		t.Fatal(err)
	}
	if s, err := early.State(); err != nil || s.Status != specs.StateRunning || s.PID != os.Getpid() {
		t.Errorf("a create that has ended: %+v, %v; want %q and pid %d", s, err, specs.StateRunning, os.Getpid())
	}
}

// The same, when the container was deleted and made anew.
func TestStatusOfAnotherWithTheName(t *testing.T) {
	self, err := state.Self()
	if err != nil {
		t.Fatal(err)
	}
	f := &Factory{Root: t.TempDir()}
	var loaded *Container
	for _, init := range []state.Process{dead(t), self} {
		dir, err := state.Reserve(f.Root, "one")
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		if err := dir.Save(&state.Record{ID: "one", Phase: state.Created, Init: init}); err != nil {
			t.Fatal(err)
		}
		if loaded != nil {
			continue
		}
		if loaded, err = f.Load("one"); err != nil {
			t.Fatal(err)
		}
		if err := dir.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := loaded.currentStatus(); err != nil || status != specs.StateRunning {
		t.Errorf("%q, %v; want %q", status, err, specs.StateRunning)
	}
}

// A run writes its record before init is ready: until then nobody may take it for a running
// container.
func TestStatusBeforeReady(t *testing.T) {
	self, err := state.Self()
	if err != nil {
		t.Fatal(err)
	}
	f := &Factory{Root: t.TempDir()}
	dir, err := state.Reserve(f.Root, "one")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*state.Record{
		{ID: "one", Phase: state.Creating, Creator: self},
		{ID: "one", Phase: state.Created, Creator: self, Init: self, Ahead: true},
	} {
		if err := dir.Save(r); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, want specs.ContainerState) {
		t.Helper()
		c, err := f.Load("one")
		if err != nil {
			t.Fatal(err)
		}
		if status, err := c.currentStatus(); err != nil || status != want {
			t.Errorf("%s: %q, %v; want %q", when, status, err, want)
		}
	}
	check("while run holds the lock", specs.StateCreating)
	dir.Close()
	check("after run was killed, and init is ready", specs.StateRunning)
	if dir, err = state.Lock(f.Root, "one"); err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := dir.Settle(); err != nil {
		t.Fatal(err)
	}
	check("while another command holds the lock", specs.StateRunning)
}
