// Package logrus stands in for the package of the same name, by which opencontainers/cgroups logs: what it says goes to
// oci-run's own log, with its level, its format and its file. The real one would initialise a logger at each start that
// nobody set up.
package logrus

import (
	"context"
	"fmt"
	"log/slog"
)

// Level is a message's level.
type Level = slog.Level

// The levels that are used.
const (
	WarnLevel  = slog.LevelWarn
	DebugLevel = slog.LevelDebug
)

// Logger is the log.
type Logger struct{}

// StandardLogger is the log.
func StandardLogger() Logger { return Logger{} }

// Logf logs a formatted message.
func (Logger) Logf(level Level, format string, args ...any) {
	if slog.Default().Enabled(context.Background(), level) {
		slog.Log(context.Background(), level, fmt.Sprintf(format, args...))
	}
}

// Debug logs a message.
func Debug(args ...any) { Logger{}.Logf(DebugLevel, "%s", fmt.Sprint(args...)) }

// Debugf logs a formatted message.
func Debugf(format string, args ...any) { Logger{}.Logf(DebugLevel, format, args...) }

// Warn logs a message.
func Warn(args ...any) { Logger{}.Logf(WarnLevel, "%s", fmt.Sprint(args...)) }

// Warnf logs a formatted message.
func Warnf(format string, args ...any) { Logger{}.Logf(WarnLevel, format, args...) }

// Entry is a message with an error.
type Entry struct{ err error }

// WithError is a message with an error.
func WithError(err error) Entry { return Entry{err} }

// Debugf logs the message, and the error after it.
func (e Entry) Debugf(format string, args ...any) {
	Logger{}.Logf(DebugLevel, format+": %v", append(args, e.err)...)
}
