package libcontainer

import "oci-run/internal/log"

// Logger is what this package, specconv and hooks tell what they have to say: whole sentences,
// without args. A *[log/slog.Logger] is one. It may be called by several goroutines.
type Logger interface {
	Debug(msg string, args ...any)
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
	Error(msg string, args ...any)
}

// SetLogger has all warnings of the process go to l, and, if debug, the progress of each call too,
// whose sentences take time to make. Without a logger, warnings go to standard error. It holds for
// all that is called later; nil is without a logger again.
func SetLogger(l Logger, debug bool) {
	if l == nil {
		log.SetHandler(nil)
		return
	}
	least := log.LevelInfo
	if debug {
		least = log.LevelDebug
	}
	log.SetHandler(&sayer{l, least})
}

// sayer hands messages to a logger by their level.
type sayer struct {
	to    Logger
	least log.Level
}

// Enabled implements log.Handler.
func (s *sayer) Enabled(level log.Level) bool { return level >= s.least }

// Log implements log.Handler.
func (s *sayer) Log(level log.Level, text string) {
	switch {
	case level < log.LevelInfo:
		s.to.Debug(text)
	case level < log.LevelWarn:
		s.to.Info(text)
	case level < log.LevelError:
		s.to.Warn(text)
	default:
		s.to.Error(text)
	}
}
