// Package logfile writes what the program says: its log, and the error that it ends with, in the
// two formats that engines read, those of logrus:
//
//	time="2026-01-02T15:04:05Z" level=error msg="…"
//	{"level":"error","msg":"…","time":"2026-01-02T15:04:05Z"}
//
// Podman takes a JSON log file for an error message only if it holds that one object, so warnings
// wait until the command has succeeded ([Log.Flush]) and are dropped when it fails.
package logfile

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"oci-run/internal/excerpt"
)

// Log is where the program logs to. Its methods may be called by several goroutines.
type Log struct {
	mu      sync.Mutex
	out     io.Writer // nil until Open
	own     bool      // out is the file of --log
	json    bool
	level   slog.Level
	waiting []byte
}

// Options are what a command line says of the log: debug, log, log-format and log-level.
type Options interface {
	Bool(name string) bool
	String(name string) string
}

var levels = []struct {
	name  string
	level slog.Level
}{
	{"debug", slog.LevelDebug}, {"info", slog.LevelInfo}, {"warn", slog.LevelWarn}, {"warning", slog.LevelWarn}, {"error", slog.LevelError},
}

// Open sets the log up as the global options say. The first call counts.
func (l *Log) Open(o Options) error {
	if l.out != nil {
		return nil
	}
	l.out = os.Stderr
	slog.SetDefault(slog.New(l))
	if path := o.String("log"); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return err
		}
		l.out, l.own = f, true
	}
	switch format := o.String("log-format"); format {
	case "json":
		l.json = true
	case "text", "":
	default:
		return fmt.Errorf("--log-format %q: must be text or json", format)
	}
	return l.setLevel(o)
}

func (l *Log) setLevel(o Options) error {
	if o.Bool("debug") {
		l.level = slog.LevelDebug
		return nil
	}
	name := o.String("log-level")
	for _, known := range levels {
		if known.name == name {
			l.level = known.level
			return nil
		}
	}
	return fmt.Errorf("--log-level %q: must be debug, info, warn or error", name)
}

// Flush writes the messages that waited.
func (l *Log) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 {
		_, _ = l.out.Write(l.waiting)
		l.waiting = nil
	}
}

// Fatal writes the error that the command ends with; to standard error too, where a
// person looks, if the log is a file.
func (l *Log) Fatal(err error) {
	if l.own {
		fmt.Fprintln(os.Stderr, excerpt.Of(err.Error(), maxText))
	}
	if l.level <= slog.LevelDebug || !l.json {
		l.Flush()
	}
	_, _ = l.out.Write(l.format(slog.LevelError, err.Error(), time.Now()))
}

// Enabled implements slog.Handler.
func (l *Log) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

// Handle implements slog.Handler.
func (l *Log) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.Key + "=" + a.Value.String()
		return true
	})
	line := l.format(r.Level, text, r.Time)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.own && l.json && l.level > slog.LevelDebug {
		l.waiting = append(l.waiting, line...)
		return nil
	}
	_, err := l.out.Write(line)
	return err
}

// WithAttrs implements slog.Handler. The messages of oci-run are whole sentences.
func (l *Log) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *Log) WithGroup(string) slog.Handler { return l }

// maxText bounds a message: conmon, for one, reads no more than 8 KiB of an error.
const maxText = 6 << 10

func (l *Log) format(level slog.Level, text string, at time.Time) []byte {
	name := "warning"
	if level != slog.LevelWarn {
		name = strings.ToLower(level.String())
	}
	text = excerpt.Of(text, maxText)
	when := at.Format(time.RFC3339)
	if !l.json {
		return []byte("time=\"" + when + "\" level=" + name + " msg=" + strconv.Quote(text) + "\n")
	}
	line, err := json.Marshal(struct {
		Level string `json:"level"`
		Msg   string `json:"msg"`
		Time  string `json:"time"`
	}{name, text, when})
	if err != nil { // can't be: three strings
		return nil
	}
	return append(line, '\n')
}
