// Package logfile writes what the program says: its log, and the error that it ends with, in the
// two formats that engines read, those of logrus:
//
//	time="2026-01-02T15:04:05Z" level=error msg="…"
//	{"level":"error","msg":"…","time":"2026-01-02T15:04:05Z"}
//
// A terminal gets the text alone: nobody parses it there.
//
//	oci-run: …
//
// Podman takes a JSON log file for an error message only if it holds that one object, so warnings
// wait until the command has succeeded ([Log.Flush]). When it fails, they are part of the error's
// object.
package logfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/excerpt"
	"oci-run/internal/log"
	"oci-run/internal/oncejson"
)

// Log is where the program logs to. Its methods may be called by several goroutines.
type Log struct {
	mu      sync.Mutex
	out     io.Writer // nil until Open
	own     bool      // out is the file of --log
	json    bool
	level   log.Level
	waiting []entry // warnings of a JSON file, see the package's comment
	to      reader  // who reads what is written to standard error
}

// reader is what is known of who reads a log.
type reader uint8

const (
	unknown reader = iota
	program        // a file or a pipe
	person         // a terminal
)

// Details are what a JSON log has of an error beside its text, for programs: all of them may be
// empty.
type Details struct {
	ID      string `json:"id,omitempty"`      // of the container
	Command string `json:"command,omitempty"` // the verb
	Pointer string `json:"pointer,omitempty"` // of the field in config.json or another document (RFC 6901)
	Path    string `json:"path,omitempty"`    // of the file that the error is about
	Errno   string `json:"errno,omitempty"`   // by its name, such as ENOENT
}

// entry is a line of the log.
type entry struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
	Time  string `json:"time"`
	Details
	Warnings []string `json:"warnings,omitempty"` // what was said before the error
}

// Options are what a command line says of the log: debug, log, log-format and log-level.
type Options interface {
	Bool(name string) bool
	String(name string) string
}

var levels = []struct {
	name  string
	level log.Level
}{
	{"debug", log.LevelDebug}, {"info", log.LevelInfo}, {"warn", log.LevelWarn}, {"warning", log.LevelWarn}, {"error", log.LevelError},
}

// Open sets the log up as the global options say. The first call counts.
func (l *Log) Open(o Options) error {
	if l.out != nil {
		return nil
	}
	l.out = os.Stderr
	log.SetHandler(l)
	if path := o.String("log"); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			return fmt.Errorf("--log %q: %w", path, pe.Err)
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
		l.level = log.LevelDebug
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
	for i := range l.waiting {
		_, _ = l.out.Write(l.format(&l.waiting[i]))
	}
	l.waiting = nil
}

// mostWarnings bounds how many warnings go with an error.
const mostWarnings = 16

// Fatal writes the error that the command ends with; to standard error too, where a
// person looks, if the log is a file.
func (l *Log) Fatal(err error, details Details) {
	e := newEntry(log.LevelError, err.Error(), time.Now())
	e.Details = details
	if l.own {
		fmt.Fprintln(os.Stderr, e.Msg)
	}
	for i := range l.waiting[:min(len(l.waiting), mostWarnings)] {
		e.Warnings = append(e.Warnings, l.waiting[i].Msg)
	}
	_, _ = l.out.Write(l.format(&e))
}

// Enabled implements log.Handler.
func (l *Log) Enabled(level log.Level) bool { return level >= l.level }

// Log implements log.Handler.
func (l *Log) Log(level log.Level, text string) {
	e := newEntry(level, text, time.Now())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.own && l.json && l.level > log.LevelDebug {
		l.waiting = append(l.waiting, e)
		return
	}
	_, _ = l.out.Write(l.format(&e))
}

// maxText bounds a message: conmon, for one, reads no more than 8 KiB of an error.
const maxText = 6 << 10

func newEntry(level log.Level, text string, at time.Time) entry {
	name := ""
	for _, known := range levels { // the last: "warning" is logrus's word
		if known.level == level {
			name = known.name
		}
	}
	return entry{Level: name, Msg: excerpt.Of(text, maxText), Time: at.Format(time.RFC3339)}
}

// format makes a line of an entry.
func (l *Log) format(e *entry) []byte {
	switch {
	case l.json:
		line, err := oncejson.Encode(e)
		if err != nil { // can't be: strings
			return nil
		}
		return append(line, '\n')
	case l.reader() == program:
		return []byte("time=\"" + e.Time + "\" level=" + e.Level + " msg=" + strconv.Quote(e.Msg) + "\n")
	case e.Level == "error":
		return []byte("oci-run: " + e.Msg + "\n")
	}
	return []byte("oci-run: " + e.Level + ": " + e.Msg + "\n")
}

// reader tells who reads the log: a person, if it goes to a terminal. A file that is named by --log
// is a program's, whatever it is.
func (l *Log) reader() reader {
	if l.to == unknown {
		l.to = program
		if f, ok := l.out.(*os.File); ok && !l.own {
			if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
				l.to = person
			}
		}
	}
	return l.to
}
