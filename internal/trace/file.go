package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/log"
)

// Options say what is traced.
type Options struct {
	Path    string // the file, or "" for the debug log alone
	Process string // the verb
	ID      string // of the container, or ""
	Version string // of the program
}

// file is what spans are appended to. Several commands may do so at the same time.
type file struct {
	fd      int
	path    string
	version string
	format  format
}

// format is one of a file.
type format interface {
	// append adds spans behind out.
	append(out []byte, r *recorder, events []Event) []byte
	frame() frame
}

// frame is what stands around the pieces that commands append.
type frame struct {
	begin, between, end string
	reopen              bool // the end is cut off before more follows
}

// lockTime is how long the file's lock is waited for: who has it writes one piece.
const lockTime = 2 * time.Second

// Open begins to keep spans, if the options or the level of the log ask for it. The first span
// lasts from the process's start to now. A file whose name has ".otlp" for its last suffix but
// ".json" or ".jsonl" has a line of OTLP/JSON for each command, every other one Chrome's array.
func Open(o Options) error {
	debug := log.Enabled(log.LevelDebug)
	if o.Path == "" && !debug {
		return nil
	}
	r := newRecorder(o.Process, o.ID, place{})
	if debug {
		r.told = say
	}
	if o.Path != "" {
		c, odd := contextOf(os.Getenv(variable))
		if odd != nil {
			log.Debug(odd.Error())
		}
		fd, err := openFile(o.Path)
		if err != nil {
			return err
		}
		r.context, r.parent = c, c.parent()
		r.file = &file{fd, o.Path, o.Version, formatOf(o.Path)}
	}
	current = r
	return nil
}

// Root begins the command's span, and ends the one of its start.
func Root(name string) *Span {
	if current == nil {
		return nil
	}
	r := current
	start := r.clock.startOf()
	root := r.begin(name, start)
	root.Set("container", r.id)
	began := r.begin("start of the program", start)
	began.End(nil)
	return root
}

// formatOf goes by a file's name.
func formatOf(path string) format {
	name := strings.TrimSuffix(strings.TrimSuffix(path, ".jsonl"), ".json")
	if strings.HasSuffix(name, ".otlp") {
		return otlp{}
	}
	return chrome{}
}

// openFile opens or makes the file, which is a regular one: nobody reads a FIFO or a terminal as a
// timeline, and opening one can wait for ever.
func openFile(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_LARGEFILE, 0o644)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return -1, fmt.Errorf("--trace: %w", &fs.PathError{Op: "open", Path: path, Err: err})
		}
		var st unix.Stat_t
		if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
			err = errors.New("it is not a regular file")
		}
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("--trace: write a timeline to %q: %w", path, err)
		}
		return fd, nil
	}
}

// Flush writes the spans that have ended to the file, in one piece. How long that takes is a span
// for the next time.
func Flush() error {
	if current == nil || current.file == nil {
		return nil
	}
	span := Begin("write the timeline")
	err := current.flush()
	span.End(err)
	return err
}

// Finish ends the command's own span, with what the command failed with, and writes the rest.
func (s *Span) Finish(err error) error {
	if s == nil || s.r.file == nil {
		s.End(err)
		return nil
	}
	if ferr := Flush(); ferr != nil {
		return ferr
	}
	s.End(err)
	return s.r.flush()
}

func (r *recorder) flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.done) == 0 {
		return nil
	}
	err := r.file.write(r.file.format.append(nil, r, r.done), r.file.format.frame())
	r.done = r.done[:0]
	if err != nil {
		return fmt.Errorf("--trace: append the spans of this command to %q: %w", r.file.path, err)
	}
	return nil
}

// write appends a piece. Commands that write at the same time take turns; one that was killed
// meanwhile leaves the file without its end, which is what a viewer expects of an array, and what
// the next one goes on from.
func (f *file) write(piece []byte, as frame) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer unix.Flock(f.fd, unix.LOCK_UN)
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return fmt.Errorf("fstat: %w", err)
	}
	front, size := as.between, st.Size
	if size == 0 {
		front = as.begin
	} else if as.reopen && f.endsWith(as.end, size) {
		size -= int64(len(as.end))
		if err := unix.Ftruncate(f.fd, size); err != nil {
			return fmt.Errorf("ftruncate: %w", err)
		}
	}
	whole := append(append([]byte(front), piece...), as.end...)
	n, err := writeWhole(f.fd, whole)
	if err == nil && n == len(whole) {
		return nil
	}
	_ = unix.Ftruncate(f.fd, size) // no half of a span: what follows could not be read
	if err == nil {
		err = unix.ENOSPC
	}
	return err
}

func writeWhole(fd int, whole []byte) (int, error) {
	for {
		n, err := unix.Write(fd, whole)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// endsWith looks at the last bytes of the file.
func (f *file) endsWith(text string, size int64) bool {
	if size < int64(len(text)) {
		return false
	}
	end := make([]byte, len(text))
	n, err := unix.Pread(f.fd, end, size-int64(len(text)))
	return err == nil && string(end[:n]) == text
}

// lock takes the file's lock.
func (f *file) lock() error {
	for deadline := time.Now().Add(lockTime); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == unix.EINTR:
		case err != unix.EWOULDBLOCK:
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("lock the file: another process has held it for %s: %w", lockTime, err)
		}
	}
}
