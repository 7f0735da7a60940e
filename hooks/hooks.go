// Package hooks runs the hooks of a container: programs that engines and administrators put into
// config.json for the points of a container's life (config.md, POSIX-platform Hooks).
//
// A hook gets the container's state on its standard input. Its environment is hooks[].env alone;
// without that, ours for a hook in our namespaces, and none for one in the container's (see
// WithEnv). Its standard output and error are pipes whose last bytes end up in the error message,
// its working directory is the bundle, it is the leader of a process group of its own, and every
// other descriptor has to be close-on-exec. A hook may leave processes behind; nobody waits for
// these.
package hooks

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/oncejson"
	"oci-run/internal/trace"
)

// The names of the six lists.
const (
	Prestart        = "prestart"
	CreateRuntime   = "createRuntime"
	CreateContainer = "createContainer"
	StartContainer  = "startContainer"
	Poststart       = "poststart"
	Poststop        = "poststop"
)

// Names lists them in the order in which they run, which is what `features` prints.
func Names() []string {
	return []string{Prestart, CreateRuntime, CreateContainer, StartContainer, Poststart, Poststop}
}

// List gives the hooks of a name, nil if there are none.
func List(h *specs.Hooks, name string) []specs.Hook {
	if h == nil {
		return nil
	}
	switch name {
	case Prestart:
		return h.Prestart // deprecated, but Docker up to 26 needs it
	case CreateRuntime:
		return h.CreateRuntime
	case CreateContainer:
		return h.CreateContainer
	case StartContainer:
		return h.StartContainer
	case Poststart:
		return h.Poststart
	case Poststop:
		return h.Poststop
	}
	return nil
}

// Run runs the hooks of one list in order, until one fails. They run in the namespaces of the
// calling thread: a caller that has changed these has to be locked to its thread. A failure is a
// *hookError.
//
// createContainer and startContainer hooks run in init's namespaces and get its working directory:
// the container's root, which hooks written for runc expect, and "/" of the container, where the
// bundle's path means something else or nothing.
func Run(name string, list []specs.Hook, state *specs.State) error {
	if len(list) == 0 {
		return nil
	}
	input, err := oncejson.Encode(state)
	if err != nil {
		return fmt.Errorf("encode state for %s hooks: %w", name, err)
	}
	for i := range list {
		span := beginHook(name, i, &list[i])
		err := run(&list[i], input, attributes{workDir(name, state), span.Environ(environment(name, &list[i]))})
		if span.End(err); err != nil {
			return &hookError{Name: name, Index: i, Path: list[i].Path, Err: err}
		}
	}
	return nil
}

// beginHook begins the span of a hook.
func beginHook(name string, index int, h *specs.Hook) *trace.Span {
	span := trace.Begin(name + " hook")
	span.Set("path", h.Path)
	span.SetNumber("index", index)
	return span
}

// RunAll runs every hook of a list, whatever becomes of the others, and hands failures to warn. The
// specification wants this for poststop: "If any poststop hook fails, the runtime MUST log a
// warning, but the remaining hooks and lifecycle continue as if the hook had succeeded"
// (runtime.md, Lifecycle).
func RunAll(name string, list []specs.Hook, state *specs.State, warn func(error)) {
	for i := range list {
		if err := Run(name, list[i:i+1], state); err != nil {
			if he := (*hookError)(nil); errors.As(err, &he) {
				he.Index = i
			}
			warn(err)
		}
	}
}

// environment is what a hook gets. The specification doesn't say what an absent env means; hooks in
// the runtime's namespaces have come to expect the PATH and the HOME of who calls the runtime. What
// engines keep in their environment is none of a container's business.
func environment(name string, h *specs.Hook) []string {
	if h.Env == nil && name != CreateContainer && name != StartContainer {
		return os.Environ()
	}
	return h.Env
}

// WithEnv gives a copy of list in which hooks that name no environment have env: startContainer
// hooks inherit the environment of the container's process, as users have come to expect.
func WithEnv(list []specs.Hook, env []string) []specs.Hook {
	out := make([]specs.Hook, len(list))
	for i, h := range list {
		if h.Env == nil {
			h.Env = env
		}
		out[i] = h
	}
	return out
}

// hookError is the failure of one hook.
type hookError struct {
	// Name is the list's name, Index the hook's place in it, from 0.
	Name  string
	Index int
	// Path is the hook's program.
	Path string
	// Err holds a *timeoutError, an *exitError, or what kept the hook from starting.
	Err error
}

// Error gives `error running createRuntime hook #1: "/bin/false": exit status 1`.
func (e *hookError) Error() string {
	return fmt.Sprintf("error running %s hook #%d: %s", e.Name, e.Index, e.Err)
}

// pointer is the JSON pointer of what is to blame: the hook that failed, its timeout, or the path
// of a program that could not be started.
func (e *hookError) pointer() string {
	at := fmt.Sprintf("/hooks/%s/%d", e.Name, e.Index)
	if _, ended := errors.AsType[*exitError](e.Err); ended {
		return at
	}
	if _, late := errors.AsType[*timeoutError](e.Err); late {
		return at + "/timeout"
	}
	return at + "/path"
}

// Pointer is the JSON pointer of what is to blame for an error of Run in a config.json, "" if that
// is no hook.
func Pointer(err error) string {
	if failed, ok := errors.AsType[*hookError](err); ok {
		return failed.pointer()
	}
	return ""
}

// Unwrap gives the reason.
func (e *hookError) Unwrap() error { return e.Err }

// timeout converts hooks[].timeout, seconds; none is 0.
func timeout(h *specs.Hook) time.Duration {
	if h.Timeout == nil {
		return 0
	}
	return time.Duration(*h.Timeout) * time.Second
}
