// Package state keeps what oci-run remembers of a container between its commands: a
// directory <root>/<id> with a small record (state.json), a verbatim copy of config.json
// and the start channel. The record is written before the first side effect of create
// (phase Creating, in creating.json), so that whatever a killed create left can be found
// and undone, and again once the container stands (phase Created, in state.json, which
// then counts). These are two files, each written once, because replacing a file makes
// some file systems (ext4) write it out at once, which takes longer than all the rest.
//
// One lock per container, the directory itself under flock(2), is held by every command
// that changes it. Reading needs no lock.
package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
)

// Errors that callers and engines tell apart. Engines look for these words.
var (
	ErrNotExist = errors.New("container does not exist")
	ErrExist    = errors.New("container with given ID already exists")
)

// Process identifies a process for good: pid numbers are reused, a pid with its start
// time is not.
type Process struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"start_time"` // clock ticks since boot, proc(5) stat field 22
}

// The names inside a container's directory.
const (
	recordName = "state.json"
	intentName = "creating.json"
	keptName   = "recovery.json" // creating.json once it counts no longer
	configName = "config.json"
	filterName = "seccomp.bpf"
	startName  = "start.sock"
	hooksName  = "starting"
	notifyName = "notify" // package sdnotify's
	endName    = "end.json"

	stagedSuffix = ".new" // of a record that is being written
)

// Dir is a container's directory. If it was locked, it stays locked until Close.
type Dir struct {
	ID     string
	path   string
	dir    *os.File
	locked bool
}

// checkID refuses names that can't stand as one directory name, or that a command line
// would take for an option: allowed are letters, digits and "_+-.", at most 255 bytes, no
// leading "-", not "." or "..".
func checkID(id string) error {
	switch {
	case id == "":
		return errors.New("container ID is empty")
	case len(id) > unix.NAME_MAX:
		return fmt.Errorf("container ID of %d bytes: at most %d are allowed", len(id), unix.NAME_MAX)
	case id == "." || id == "..":
		return fmt.Errorf("invalid container ID %q: it has a meaning of its own as a directory", id)
	case id[0] == '-':
		return fmt.Errorf("invalid container ID %q: it may not begin with \"-\"", id)
	}
	for _, c := range []byte(id) {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '+' || c == '-' || c == '.'
		if !ok {
			return fmt.Errorf("invalid container ID %q: only letters, digits and \"_+-.\" are allowed", id)
		}
	}
	return nil
}

// CheckFree refuses an ID that a new container can't have, also because another has it. Whoever
// asks before planning says that, instead of what else is in the way because of the other; Reserve
// decides.
func CheckFree(root, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(root, id)); err == nil {
		return fmt.Errorf("%w: %q", ErrExist, id)
	}
	return nil
}

// Reserve makes the directory of a new container and locks it. It returns ErrExist if
// the ID is in use.
func Reserve(root, id string) (*Dir, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	path := filepath.Join(root, id)
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(root, 0o700); err == nil {
			err = os.Mkdir(path, 0o700)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("%w: %q", ErrExist, id)
	case err != nil:
		return nil, err
	}
	return Lock(root, id)
}

// Open opens the directory of an existing container for reading, without its lock.
func Open(root, id string) (*Dir, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	d := &Dir{ID: id, path: filepath.Join(root, id)}
	var err error
	if d.dir, err = files.Open(d.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0); err != nil {
		return nil, d.missing(err)
	}
	return d, nil
}

// linked returns ErrNotExist if the directory doesn't stand under its name any more: a delete that
// held the lock before us has removed it.
func (d *Dir) linked() error {
	var held, named unix.Stat_t
	if err := unix.Fstat(int(d.dir.Fd()), &held); err != nil {
		return &fs.PathError{Op: "fstat", Path: d.path, Err: err}
	}
	err := unix.Lstat(d.path, &named)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "lstat", Path: d.path, Err: err}
	}
	if err != nil || held.Ino != named.Ino || held.Dev != named.Dev {
		return fmt.Errorf("%w: %q was deleted meanwhile", ErrNotExist, d.ID)
	}
	return nil
}

// missing turns an error that says that there is no such directory into ErrNotExist.
func (d *Dir) missing(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %q", ErrNotExist, d.ID)
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w: %q is not a directory", ErrNotExist, d.path)
	}
	return err
}

// Close releases the lock, if held.
func (d *Dir) Close() error { return d.dir.Close() }

// Locked tells whether the lock is ours.
func (d *Dir) Locked() bool { return d.locked }

// File is the open, perhaps locked directory. A process that inherits it holds the lock
// until it closes it too.
func (d *Dir) File() *os.File { return d.dir }

// Path is the directory's absolute path.
func (d *Dir) Path() string { return d.path }

// Remove deletes the directory and what is in it, the records last: what is killed on the way can
// be deleted again. If another command has removed it meanwhile, nothing is left to do: what stands
// under the name by now is another container's.
func (d *Dir) Remove() error {
	if !d.locked {
		if err := d.linked(); errors.Is(err, ErrNotExist) {
			return nil
		}
	}
	names, err := d.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != recordName && name != intentName {
			if err := os.RemoveAll(filepath.Join(d.path, name)); err != nil {
				return err
			}
		}
	}
	for _, name := range [...]string{intentName, recordName} {
		if !slices.Contains(names, name) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(d.path, name)); err != nil { // a damaged one may be a directory
			return err
		}
	}
	if err := unix.Rmdir(d.path); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "rmdir", Path: d.path, Err: err}
	}
	return nil
}

// names lists the directory by the fd that is open anyway.
func (d *Dir) names() ([]string, error) {
	if _, err := d.dir.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	var names []string
	buf := make([]byte, 4096)
	for {
		n, err := unix.Getdents(int(d.dir.Fd()), buf)
		if err != nil {
			return nil, &fs.PathError{Op: "getdents", Path: d.path, Err: err}
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// List names the containers below root, sorted. A root that does not exist has none, and
// entries that can't be containers are passed over.
func List(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && checkID(e.Name()) == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}
