// Package log takes what packages have to say while they work, warnings and progress, to the
// handler of the process. It is what log/slog is to other programs, for messages that are whole
// sentences: slog would be a fiftieth of the binary, and keep encoding/json in it, for attributes,
// groups and formats that nobody here uses.
package log

import (
	"os"
	"sync/atomic"
)

// Level says how much a message matters. The numbers are those of log/slog, so that a level can be
// passed on to it.
type Level int

// The levels.
const (
	LevelDebug Level = -4
	LevelInfo  Level = 0
	LevelWarn  Level = 4
	LevelError Level = 8
)

// Handler is where messages go. It may be called by several goroutines.
type Handler interface {
	// Enabled tells whether messages of a level are wanted: where not, making them can be saved.
	Enabled(level Level) bool
	// Log takes a message.
	Log(level Level, text string)
}

// current is the handler of the process; nil is standard error.
var current atomic.Pointer[Handler]

// SetHandler has messages go to h from now on, and returns who got them before. nil is what a
// process begins with: warnings and errors go to standard error, a line each.
func SetHandler(h Handler) (before Handler) {
	next := &h
	if h == nil {
		next = nil
	}
	if old := current.Swap(next); old != nil {
		before = *old
	}
	return before
}

func handler() Handler {
	if h := current.Load(); h != nil {
		return *h
	}
	return stderr{}
}

// Enabled tells whether messages of a level are wanted.
func Enabled(level Level) bool { return handler().Enabled(level) }

// Log passes a message on if its level is wanted.
func Log(level Level, text string) {
	if h := handler(); h.Enabled(level) {
		h.Log(level, text)
	}
}

// Debug tells of progress.
func Debug(text string) { Log(LevelDebug, text) }

// Warn tells of what was done otherwise than asked for, or not at all, and is not an error.
func Warn(text string) { Log(LevelWarn, text) }

// stderr is the handler of a process that has set none.
type stderr struct{}

func (stderr) Enabled(level Level) bool { return level >= LevelWarn }

func (stderr) Log(level Level, text string) {
	label := "warning: "
	if level >= LevelError {
		label = "error: "
	}
	_, _ = os.Stderr.WriteString(label + text + "\n")
}

// Discard is a handler that wants nothing.
type Discard struct{}

// Enabled implements Handler.
func (Discard) Enabled(Level) bool { return false }

// Log implements Handler.
func (Discard) Log(Level, string) {}
