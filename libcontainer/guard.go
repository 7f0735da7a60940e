package libcontainer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// ErrNotRunning is the error of what needs a process, for a container without one. Engines look for
// these words.
var ErrNotRunning = errors.New("container not running")

// ErrNotPaused is the error of a resume of a container that isn't frozen. Engines look for these
// words.
var ErrNotPaused = errors.New("container not paused")

// errPaused is what exec returns for a paused container, also if it was paused meanwhile.
var errPaused = errors.New("cannot exec in a paused container (use --ignore-paused to override)")

// starting is a created container whose startContainer hooks run, or whose start was killed: to
// the specification it is created, but it can neither be started again nor deleted.
const starting specs.ContainerState = "starting"

// verb is what can be done to a container in some of its states only, as the error of the others
// says it.
type verb string

const (
	toStart      verb = "start"
	toExec       verb = "exec in"
	toKill       verb = "kill"
	toPause      verb = "pause"
	toResume     verb = "resume"
	toUpdate     verb = "update"
	toDelete     verb = "delete"
	toCheckpoint verb = "checkpoint"
	toMeasure    verb = "read the events of"
	toWait       verb = "wait for"
)

// states are those in which the verb can be done.
func (v verb) states() []specs.ContainerState {
	switch v {
	case toStart:
		return []specs.ContainerState{specs.StateCreated}
	case toExec, toPause:
		return []specs.ContainerState{specs.StateCreated, specs.StateRunning}
	case toResume:
		return []specs.ContainerState{Paused}
	case toDelete:
		return []specs.ContainerState{specs.StateCreated, specs.StateStopped}
	case toCheckpoint:
		return []specs.ContainerState{specs.StateRunning, Paused}
	case toWait:
		return []specs.ContainerState{specs.StateCreated, specs.StateRunning, Paused, specs.StateStopped}
	}
	return []specs.ContainerState{specs.StateCreating, specs.StateCreated, specs.StateRunning, Paused}
}

// require refuses a verb in a state in which it can't be done. It is the one guard of all verbs; a
// forced delete has none.
func (v verb) require(id string, status specs.ContainerState) error {
	if slices.Contains(v.states(), status) {
		return nil
	}
	if v == toExec && status == Paused {
		return fmt.Errorf("%w: %q", errPaused, id)
	}
	text := v.refusal(id, status)
	switch v {
	case toKill, toPause, toUpdate:
		return fmt.Errorf("%s: %w", text, ErrNotRunning)
	case toResume:
		return fmt.Errorf("%s: %w", text, ErrNotPaused)
	}
	return errors.New(text)
}

// refusal is the sentence with the verb and the state. The first four are runc's, word for word:
// engines and its conformance tests look for them.
func (v verb) refusal(id string, status specs.ContainerState) string {
	switch {
	case v == toDelete && status != starting:
		return fmt.Sprintf("cannot delete container %q that is not stopped: %s", id, status)
	case v == toStart && status == specs.StateRunning:
		return fmt.Sprintf("cannot start an already running container: %q", id)
	case v == toExec && status == specs.StateStopped:
		return fmt.Sprintf("cannot exec in a stopped container: %q", id)
	case v == toMeasure && status == specs.StateStopped:
		return fmt.Sprintf("cannot read events: container with id %s is not running", id)
	}
	return fmt.Sprintf("cannot %s a container %s: %q", v, which(status), id)
}

func which(status specs.ContainerState) string {
	switch status {
	case specs.StateCreating:
		return "that is being created"
	case starting:
		return "that is being started"
	case specs.StateStopped:
		return "that has stopped"
	}
	return "in the " + string(status) + " state"
}
