package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// patience is how long the container's program may take to do what it was told.
const patience = 10 * time.Second

// all is the walk, from an empty directory back to an empty directory.
func (w *walk) all() error {
	for _, step := range []func(*walk) error{
		(*walk).prepare, (*walk).create, (*walk).start, (*walk).enter, (*walk).stop, (*walk).deleteIt, (*walk).atOnce, (*walk).mistakes,
	} {
		if err := step(w); err != nil {
			return err
		}
	}
	say("That was a container's life. Everything that was made for it is gone again.")
	return nil
}

func (w *walk) prepare() error {
	kind := "as root: an ordinary container"
	if w.rootless {
		kind = "as an ordinary user: a rootless container, in a user namespace"
	}
	say("The runtime, %s.", kind)
	if err := w.call("--version"); err != nil {
		return err
	}
	say("A bundle: a root filesystem with one static program in it, and a config.json that the runtime writes.")
	if err := w.makeRootfs(); err != nil {
		return err
	}
	spec := []string{"spec"}
	if w.rootless {
		spec = append(spec, "--rootless")
	}
	if err := w.call(spec...); err != nil {
		return err
	}
	fmt.Printf("  (edited: process.args is [\"/bin/%s\"], process.terminal is false)\n", guestName)
	return w.edit(func(process map[string]any) {
		process["args"] = []string{"/bin/" + guestName}
		process["terminal"] = false
	})
}

func (w *walk) create() error {
	say("create: namespaces, mounts, cgroup and limits are made; the program waits for its start.")
	if err := w.call("create", "--bundle", w.bundle, "demo"); err != nil {
		return err
	}
	err := w.call("state", "demo")
	return err
}

func (w *walk) start() error {
	say("start: the program runs, and sees a world of its own.")
	if err := w.call("start", "demo"); err != nil {
		return err
	}
	time.Sleep(300 * time.Millisecond) // what the program prints belongs here
	err := w.call("list")
	return err
}

// enter runs a second program inside, if the runtime can already.
func (w *walk) enter() error {
	if exec.Command(w.runtime, "exec", "--help").Run() != nil {
		return nil
	}
	say("exec: a second process enters the container; it sees the first.")
	err := w.call("exec", "demo", "/bin/"+guestName, "look")
	return err
}

func (w *walk) stop() error {
	say("kill: the program gets a signal, and ends in its own way.")
	if err := w.call("kill", "demo", "TERM"); err != nil {
		return err
	}
	if err := w.await("demo", "stopped"); err != nil {
		return err
	}
	err := w.call("state", "demo")
	return err
}

func (w *walk) deleteIt() error {
	say("delete: nothing stays behind.")
	if err := w.call("delete", "demo"); err != nil {
		return err
	}
	err := w.call("list")
	return err
}

func (w *walk) atOnce() error {
	say("run: all of it in one command, in the foreground.")
	if err := w.edit(func(process map[string]any) { process["args"] = []string{"/bin/" + guestName, "look"} }); err != nil {
		return err
	}
	err := w.call("run", "--bundle", w.bundle, "demo")
	time.Sleep(100 * time.Millisecond)
	return err
}

func (w *walk) mistakes() error {
	say("A mistake: the program isn't there.")
	if err := w.edit(func(process map[string]any) { process["args"] = []string{"/bin/helo"} }); err != nil {
		return err
	}
	if err := w.refused("create", "--bundle", w.bundle, "demo-broken"); err != nil {
		return err
	}
	say("Another: a value in config.json that can't be.")
	err := w.edit(func(process map[string]any) {
		process["args"] = []string{"/bin/" + guestName}
		process["cwd"] = "not/absolute"
	})
	if err != nil {
		return err
	}
	if err := w.refused("create", "--bundle", w.bundle, "demo-broken"); err != nil {
		return err
	}
	err = w.call("list", "--quiet")
	return err
}

// await polls the state, as an engine would that isn't the container's parent.
func (w *walk) await(id, status string) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		cmd := exec.Command(w.runtime, "--root", w.dir+"/state", "state", id)
		cmd.Stderr = os.Stderr
		text, err := cmd.Output()
		if err != nil {
			return err
		}
		var state struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(text, &state); err != nil {
			return err
		}
		if state.Status == status {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("container %q is %s after %v, not %s", id, state.Status, patience, status)
		}
	}
}
