package libcontainer

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Each verb in each state: "" where it is allowed, else the whole error.
func TestVerbsAndStates(t *testing.T) {
	states := [...]specs.ContainerState{
		specs.StateCreating, specs.StateCreated, starting, specs.StateRunning, Paused, specs.StateStopped,
	}
	const name = `: "one"`
	for v, want := range map[verb][len(states)]string{
		toStart: {
			"cannot start a container that is being created" + name, "", "cannot start a container that is being started" + name,
			"cannot start an already running container" + name, "cannot start a container in the paused state" + name,
			"cannot start a container that has stopped" + name,
		},
		toExec: {
			"cannot exec in a container that is being created" + name, "", "cannot exec in a container that is being started" + name,
			"", "cannot exec in a paused container (use --ignore-paused to override)" + name, "cannot exec in a stopped container" + name,
		},
		toKill: {4: "", 5: "cannot kill a container that has stopped" + name + ": container not running"},
		toPause: {
			0: "cannot pause a container that is being created" + name + ": container not running",
			4: "cannot pause a container in the paused state" + name + ": container not running",
			5: "cannot pause a container that has stopped" + name + ": container not running",
		},
		toResume: {
			0: "cannot resume a container that is being created" + name + ": container not paused",
			1: "cannot resume a container in the created state" + name + ": container not paused",
			3: "cannot resume a container in the running state" + name + ": container not paused",
			5: "cannot resume a container that has stopped" + name + ": container not paused",
		},
		toUpdate: {5: "cannot update a container that has stopped" + name + ": container not running"},
		toDelete: {
			`cannot delete container "one" that is not stopped: creating`, "", "cannot delete a container that is being started" + name,
			`cannot delete container "one" that is not stopped: running`, `cannot delete container "one" that is not stopped: paused`, "",
		},
		toCheckpoint: {
			0: "cannot checkpoint a container that is being created" + name, 1: "cannot checkpoint a container in the created state" + name,
			5: "cannot checkpoint a container that has stopped" + name,
		},
		toMeasure: {5: "cannot read events: container with id one is not running"},
		toWait:    {0: "cannot wait for a container that is being created" + name},
	} {
		for i, status := range states {
			if status == starting && v != toStart && v != toExec && v != toDelete {
				continue // to the others the container is created
			}
			got := ""
			if err := v.require("one", status); err != nil {
				got = err.Error()
			}
			if got != want[i] {
				t.Errorf("%s, %s: got %q, want %q", v, status, got, want[i])
			}
		}
	}
}

// What callers tell apart is in the chain, and its words are in the text.
func TestRefusalsWrapTheirKind(t *testing.T) {
	for _, c := range []struct {
		v      verb
		status specs.ContainerState
		kind   error
	}{
		{toKill, specs.StateStopped, ErrNotRunning},
		{toPause, Paused, ErrNotRunning},
		{toUpdate, specs.StateStopped, ErrNotRunning},
		{toResume, specs.StateRunning, ErrNotPaused},
		{toExec, Paused, errPaused},
	} {
		err := c.v.require("one", c.status)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.kind.Error()) {
			t.Errorf("%s, %s: got %v, want one that wraps %v", c.v, c.status, err, c.kind)
		}
	}
}
