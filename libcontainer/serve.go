package libcontainer

import (
	"context"
	"log/slog"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/hooks"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/process"
)

// What init asks of a create while it works off its steps.

// Limits implements syncpipe.Handler.
func (c *creation) Limits() error { return limit(&c.plan.init.Process, c.init.PID) }

// limit sets the limits of a process that may not raise them itself.
func limit(p *process.Plan, pid int) error {
	return calls.Here(func(l *calls.List) { p.AddRlimits(l, pid) })
}

// Hooks implements syncpipe.Handler: the namespaces exist, the root is not changed yet.
func (c *creation) Hooks() error {
	h := c.bundle.Spec.Hooks
	s := hookState(c.record, specs.StateCreating, c.init.PID)
	if err := hooks.Run("prestart", h.Prestart, s); err != nil { // deprecated, and used by Docker before 28
		return initproc.HookField(err)
	}
	return initproc.HookField(hooks.Run("createRuntime", h.CreateRuntime, s))
}

// Log implements syncpipe.Handler.
func (c *creation) Log(level int, text string) {
	slog.Log(context.Background(), slog.Level(level), text)
}
