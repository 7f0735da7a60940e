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
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/linux"
	"oci-run/libcontainer/oncejson"
)

// Version is the format of Record. A later format that an older binary can still read
// keeps the number.
const Version = 1

// A Phase tells how far create came; everything else about a container's status is
// looked up, not stored.
type Phase string

// The phases of a record.
const (
	Creating Phase = "creating" // intent: side effects may exist, or only some of them
	Created  Phase = "created"  // create succeeded
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

// Record is what is remembered of a container.
type Record struct {
	Version     int               `json:"version"`
	ID          string            `json:"id"`
	Phase       Phase             `json:"phase"`
	OCIVersion  string            `json:"oci_version"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Creator     Process           `json:"creator"` // the create or run command
	Init        Process           `json:"init"`    // the container's process; pid 0 while there is none
	Cgroup      json.RawMessage   `json:"cgroup,omitempty"`
	IntelRdt    string            `json:"intel_rdt,omitempty"`  // resctrl group made by us
	SharedPID   bool              `json:"shared_pid,omitempty"` // no pid namespace of its own
	Poststart   bool              `json:"poststart,omitempty"`  // config.json has poststart hooks
	Poststop    bool              `json:"poststop,omitempty"`   // config.json has poststop hooks
	Annotations map[string]string `json:"annotations,omitempty"`
	Stdio       []string          `json:"stdio,omitempty"`   // of the container's process: "pipe:[INODE]" or "" for 0, 1 and 2; none without pipes
	TimeNS      bool              `json:"time_ns,omitempty"` // CRIU has restored it into a time namespace

	file fileID // state.json, once it is written
}

// fileID tells one state.json from another, as each is written once.
type fileID struct {
	inode uint64
	mtime unix.Timespec
}

// identify looks at the state.json that stands in the directory now.
func (d *Dir) identify() (id fileID) {
	var st unix.Stat_t
	if unix.Stat(filepath.Join(d.path, recordName), &st) == nil {
		id = fileID{st.Ino, st.Mtim}
	}
	return id
}

// Current tells whether r is what Record would return, without reading it.
func (d *Dir) Current(r *Record) bool {
	return r.file != fileID{} && r.file == d.identify()
}

// The names inside a container's directory.
const (
	recordName = "state.json"
	intentName = "creating.json"
	configName = "config.json"
	filterName = "seccomp.bpf"
	startName  = "start.sock"
)

// Dir is a container's directory. If it was locked, it stays locked until Close.
type Dir struct {
	ID     string
	path   string
	dir    *os.File
	locked bool
}

// CheckID refuses names that can't stand as one directory name, or that a command line
// would take for an option: allowed are letters, digits and "_+-.", at most 255 bytes, no
// leading "-", not "." or "..".
func CheckID(id string) error {
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

// CheckFree refuses an ID that a new container can't have, also because another has it. Whoever asks before planning says
// that, instead of what else is in the way because of the other; Reserve decides.
func CheckFree(root, id string) error {
	if err := CheckID(id); err != nil {
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
	if err := CheckID(id); err != nil {
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
	if err := CheckID(id); err != nil {
		return nil, err
	}
	d := &Dir{ID: id, path: filepath.Join(root, id)}
	var err error
	if d.dir, err = linux.Open(d.path, unix.O_RDONLY|unix.O_DIRECTORY, 0); err != nil {
		return nil, d.missing(err)
	}
	return d, nil
}

// linked returns ErrNotExist if the directory doesn't stand under its name any more: a delete that held the lock before us has
// removed it.
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

// missing turns "no such file" into ErrNotExist.
func (d *Dir) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %q", ErrNotExist, d.ID)
	}
	return err
}

// Close releases the lock, if held.
func (d *Dir) Close() error { return d.dir.Close() }

// File is the open, perhaps locked directory. A process that inherits it holds the lock
// until it closes it too.
func (d *Dir) File() *os.File { return d.dir }

// Path is the directory's absolute path.
func (d *Dir) Path() string { return d.path }

// Record reads the record. A directory without one belongs to a create that has only
// just begun, or was killed there: it reads as an empty record in phase Creating.
func (d *Dir) Record() (*Record, error) {
	for _, name := range [...]string{recordName, intentName, recordName} { // the last for a commit meanwhile
		id := d.identify()
		raw, err := linux.ReadFile(filepath.Join(d.path, name))
		if err == nil {
			r, err := decode(raw)
			if err == nil && name == recordName {
				r.file = id
			}
			return r, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := d.linked(); err != nil {
		return nil, err
	}
	return &Record{Version: Version, ID: d.ID, Phase: Creating}, nil
}

func decode(raw []byte) (*Record, error) {
	r := &Record{}
	if err := oncejson.Decode(raw, r); err != nil {
		return nil, fmt.Errorf("parse %q: %w", recordName, err)
	}
	if r.Version != Version {
		return nil, fmt.Errorf("parse %q: version %d is not the version %d that this oci-run knows", recordName, r.Version, Version)
	}
	return r, nil
}

// Save writes the record of its phase atomically. That of phase Created counts in place
// of the other.
func (d *Dir) Save(r *Record) error {
	if err := d.Stage(r); err != nil {
		return err
	}
	return d.Commit(r)
}

// Stage is the part of Save that can be done before it is known whether the record will
// come true.
func (d *Dir) Stage(r *Record) error {
	r.Version = Version
	raw, err := oncejson.Encode(r)
	if err != nil {
		return fmt.Errorf("encode %q: %w", recordName, err)
	}
	return linux.WriteFile(d.file(r.Phase)+".new", raw, 0o600)
}

// Commit is the rest of Save, for a record that was staged.
func (d *Dir) Commit(r *Record) error {
	path := d.file(r.Phase)
	if err := linux.Rename(path+".new", path); err != nil {
		return err
	}
	if r.Phase == Created {
		r.file = d.identify()
	}
	return nil
}

// Settle removes the record of phase Creating once it counts no longer.
func (d *Dir) Settle() error {
	err := os.Remove(d.file(Creating))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// file is where the record of a phase is kept.
func (d *Dir) file(p Phase) string {
	if p == Creating {
		return filepath.Join(d.path, intentName)
	}
	return filepath.Join(d.path, recordName)
}

// SaveConfig keeps a verbatim copy of config.json: the bundle may change after create.
func (d *Dir) SaveConfig(raw []byte) error {
	return linux.WriteFile(filepath.Join(d.path, configName), raw, 0o600)
}

// SaveFilter keeps the compiled seccomp filter, in a form of package seccomp's.
func (d *Dir) SaveFilter(raw []byte) error {
	return linux.WriteFile(filepath.Join(d.path, filterName), raw, 0o600)
}

// Filter returns what SaveFilter has kept, or fs.ErrNotExist.
func (d *Dir) Filter() ([]byte, error) {
	return linux.ReadFile(filepath.Join(d.path, filterName))
}

// Config returns the config.json that the container was created with.
func (d *Dir) Config() ([]byte, error) {
	return linux.ReadFile(filepath.Join(d.path, configName))
}

// Remove deletes the directory and what is in it, the records last: what is killed on the
// way can be deleted again. If another command has removed it meanwhile, nothing is left to do: what
// stands under the name by now is another container's.
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
		if err := os.Remove(filepath.Join(d.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
		if e.IsDir() && CheckID(e.Name()) == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}
