package initproc

import (
	"context"
	"log/slog"

	"oci-run/libcontainer/internal/syncpipe"
)

// forward is a slog.Handler that hands init's messages to the parent, which has the log.
type forward struct{ sync *syncpipe.Init }

// Enabled implements slog.Handler. The parent filters.
func (forward) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (f forward) Handle(_ context.Context, r slog.Record) error {
	f.sync.Log(int(r.Level), r.Message)
	return nil
}

// WithAttrs implements slog.Handler. Messages are whole sentences.
func (f forward) WithAttrs([]slog.Attr) slog.Handler { return f }

// WithGroup implements slog.Handler.
func (f forward) WithGroup(string) slog.Handler { return f }
