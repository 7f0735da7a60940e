package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/state"
)

// record makes the directory of a container, with this process as its init.
func record(t *testing.T, root, id string) {
	t.Helper()
	self, err := state.Self()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := state.Reserve(root, id)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := dir.Save(&state.Record{ID: id, Phase: state.Created, Init: self}); err != nil {
		t.Fatal(err)
	}
}

// A root that doesn't exist is told apart from one without containers; nobody makes it by looking.
func TestMissingRoot(t *testing.T) {
	f := &Factory{Root: filepath.Join(t.TempDir(), "none")}
	if found, broken, err := f.List(); len(found)+len(broken) > 0 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("List: %v, %v, %v; want %v", found, broken, err, os.ErrNotExist)
	}
	if _, err := f.Load("one"); !errors.Is(err, ErrNotExist) {
		t.Errorf("Load: %v, want %v", err, ErrNotExist)
	}
	if err := f.Delete("one", false); !errors.Is(err, ErrNotExist) {
		t.Errorf("Delete: %v, want %v", err, ErrNotExist)
	}
	if _, err := os.Stat(f.Root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the root exists: %v", err)
	}
}

// The list is sorted; a container whose record can't be read is told of, and hides no other.
func TestList(t *testing.T) {
	f := &Factory{Root: t.TempDir()}
	for _, id := range []string{"c", "a", "damaged", "b"} {
		record(t, f.Root, id)
	}
	if err := os.WriteFile(filepath.Join(f.Root, "damaged", "state.json"), []byte(`{"version":`), 0o600); err != nil {
		t.Fatal(err)
	}
	found, broken, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	var ids strings.Builder
	for _, c := range found {
		ids.WriteString(c.ID())
	}
	if ids.String() != "abc" {
		t.Errorf("found %q, want a, b, c", ids.String())
	}
	if len(broken) != 1 || !strings.Contains(broken[0].Error(), `container "damaged"`) || !strings.Contains(broken[0].Error(), "delete --force") {
		t.Errorf("broken: %v, want the damaged one, and what helps", broken)
	}
}

// Each verb of a running container that can't be done to it leaves it as it is.
func TestRefusedVerbsChangeNothing(t *testing.T) {
	f := &Factory{Root: t.TempDir()}
	record(t, f.Root, "one")
	c, err := f.Load("one")
	if err != nil {
		t.Fatal(err)
	}
	for what, verb := range map[string]func() error{
		"start":  c.Start,
		"resume": c.Resume,
		"delete": func() error { return c.Delete(false) },
		"pause":  c.Pause, // it has no cgroup
	} {
		if err := verb(); err == nil {
			t.Errorf("%s was done", what)
		}
		if status, err := c.currentStatus(); err != nil || status != specs.StateRunning {
			t.Errorf("after %s: %q, %v; want %q", what, status, err, specs.StateRunning)
		}
	}
	if _, err := f.Load("one"); err != nil {
		t.Error(err)
	}
}
