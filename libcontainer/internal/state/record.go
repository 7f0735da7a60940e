package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/oncejson"
)

// oldest is the first format that is still read: the containers of a release before must stay
// manageable while they live, which may be months.
const oldest = 1

// A Phase tells how far create came; everything else about a container's status is
// looked up, not stored.
type Phase string

// The phases of a record.
const (
	Creating Phase = "creating" // intent: side effects may exist, or only some of them
	Created  Phase = "created"  // create succeeded
)

// Record is what is remembered of a container.
type Record struct {
	Version     int               `json:"version"`
	ID          string            `json:"id"`
	Phase       Phase             `json:"phase"`
	OCIVersion  string            `json:"oci_version"`
	Bundle      string            `json:"bundle"`
	Document    string            `json:"document,omitempty"` // what errors call the configuration, if not config.json: --config
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Creator     Process           `json:"creator"` // the create or run command
	Init        Process           `json:"init"`    // the container's process; pid 0 while there is none
	Cgroup      oncejson.Raw      `json:"cgroup,omitempty"`
	IntelRdt    string            `json:"intel_rdt,omitempty"`   // resctrl group made by us
	SharedPID   bool              `json:"shared_pid,omitempty"`  // no pid namespace of its own
	Ahead       bool              `json:"ahead,omitempty"`       // written before init was ready, see Unready
	StartHooks  bool              `json:"start_hooks,omitempty"` // config.json has startContainer hooks, see Starting
	NoProcess   bool              `json:"no_process,omitempty"`  // config.json has no process, which start refuses
	Poststart   bool              `json:"poststart,omitempty"`   // config.json has poststart hooks
	Poststop    bool              `json:"poststop,omitempty"`    // config.json has poststop hooks
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
	if unix.Fstatat(int(d.dir.Fd()), recordName, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		id = fileID{st.Ino, st.Mtim}
	}
	return id
}

// Current tells whether r is what Record would return, without reading it.
func (d *Dir) Current(r *Record) bool {
	return r.file != fileID{} && r.file == d.identify()
}

// Unreadable is the error of a container whose record is damaged, missing or of another version.
type Unreadable struct{ Err error }

func (e *Unreadable) Error() string { return "its record is unreadable: " + e.Err.Error() }

// Unwrap gives the reason.
func (e *Unreadable) Unwrap() error { return e.Err }

// Record reads the record. The error is an *Unreadable if there is one, or must have been, and
// ErrNotExist if the directory is not a container's. That of a create which has only just begun, or
// was killed there (then nobody but the caller can have the lock), reads as a record in phase
// Creating without a creator.
func (d *Dir) Record() (*Record, error) {
	for {
		for _, name := range [...]string{recordName, intentName, recordName} { // the last for a commit meanwhile
			r, err := d.read(name)
			if !errors.Is(err, fs.ErrNotExist) {
				return r, err
			}
		}
		names, err := d.unrecorded()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(names, recordName) && !slices.Contains(names, intentName) { // nor has one come meanwhile
			return &Record{Version: Version, ID: d.ID, Phase: Creating}, nil
		}
	}
}

// read reads the record from the file of one phase.
func (d *Dir) read(name string) (*Record, error) {
	raw, id, err := d.readFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var r *Record
	if err == nil {
		if r, err = decode(raw); err == nil {
			err = d.check(r, name)
		}
		if err != nil {
			err = fmt.Errorf("parse %q: %w", name, err)
		}
	}
	if err != nil {
		return nil, &Unreadable{err}
	}
	if name == recordName {
		r.file = id
	}
	return r, nil
}

func decode(raw []byte) (*Record, error) {
	r := &Record{}
	err := oncejson.Decode(raw, r)
	version := r.Version
	if err != nil { // a later format may have something else in a property of Record
		var only struct {
			Version int `json:"version"`
		}
		if oncejson.Decode(raw, &only) != nil {
			return nil, err
		}
		version = only.Version
	}
	if version > Version {
		return nil, fmt.Errorf("version %d is above %d, the last that this oci-run knows: a newer oci-run has made the container", version, Version)
	}
	if err == nil && version < oldest {
		err = fmt.Errorf("version %d is below %d, the first that this oci-run knows", version, oldest)
	}
	return r, err
}

// check refuses a record that is whole and yet can't be what was written to the file.
func (d *Dir) check(r *Record, name string) error {
	switch {
	case r.ID != d.ID:
		return fmt.Errorf("it is about container %q", r.ID)
	case name == recordName && r.Phase != Created, name != recordName && r.Phase != Creating:
		return fmt.Errorf("its phase is %q", r.Phase)
	case r.Phase == Created && r.Init.PID <= 0:
		return fmt.Errorf("process %d is not a container's", r.Init.PID)
	}
	return nil
}

// unrecorded lists the directory where no record was found. If it is a container's, that is an
// error.
func (d *Dir) unrecorded() ([]string, error) {
	if err := d.linked(); err != nil {
		return nil, err
	}
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, recordName) || slices.Contains(names, intentName) {
		return names, nil
	}
	for _, name := range []string{configName, filterName, startName, keptName} { // what create makes once it has made the record
		if slices.Contains(names, name) {
			return nil, &Unreadable{fmt.Errorf("%q is missing", filepath.Join(d.path, recordName))}
		}
	}
	if err := d.alien(names); err != nil {
		return nil, fmt.Errorf("%w: the directory %q is not a container's: %w", ErrNotExist, d.path, err)
	}
	if d.locked {
		return names, nil
	}
	held, err := d.held()
	if err == nil && !held {
		err = fmt.Errorf("%w: the directory %q is empty", ErrNotExist, d.path)
	}
	return names, err
}

// Alien returns an error if there is something in the directory that no command has put there.
func (d *Dir) Alien() error {
	names, err := d.names()
	if err != nil {
		return err
	}
	return d.alien(names)
}

func (d *Dir) alien(names []string) error {
	for _, name := range names {
		switch strings.TrimSuffix(name, stagedSuffix) {
		case recordName, intentName, keptName, configName, filterName, startName, hooksName, notifyName, endName:
		default:
			return fmt.Errorf("it has a file %q", name)
		}
	}
	return nil
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
	return files.Write(d.file(r.Phase)+stagedSuffix, raw, 0o600)
}

// Commit is the rest of Save, for a record that was staged.
func (d *Dir) Commit(r *Record) error {
	path := d.file(r.Phase)
	if err := files.Rename(path+stagedSuffix, path); err != nil {
		return err
	}
	if r.Phase == Created {
		r.file = d.identify()
	}
	return nil
}

// Settle lays the record of phase Creating aside once it counts no longer. It is kept for the case
// that the other one is damaged, see Intent.
func (d *Dir) Settle() error {
	err := files.Rename(d.file(Creating), filepath.Join(d.path, keptName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Unready tells of a record that was written ahead whether init may not be the container yet:
// whoever makes it, and init until it is ready, hold the lock, and the intent stands until the
// program runs. It is not for who holds the lock.
func (d *Dir) Unready() (bool, error) {
	err := unix.Faccessat(int(d.dir.Fd()), intentName, unix.F_OK, 0)
	switch err {
	case nil:
		return d.held()
	case unix.ENOENT:
		return false, nil
	}
	return false, fmt.Errorf("look for %q: %w", d.file(Creating), err)
}

// Intent reads the record of phase Creating, laid aside or not, of a container whose record is
// unreadable. Its error is fs.ErrNotExist, or an *Unreadable.
func (d *Dir) Intent() (*Record, error) {
	r, err := d.read(intentName)
	if errors.Is(err, fs.ErrNotExist) {
		r, err = d.read(keptName)
	}
	return r, err
}

// Later reads the record that a newer oci-run has written, for delete --force alone: every version
// has id, phase, init, cgroup and poststop with the names and the meaning that they have here. The
// error is not nil if the record is none of a newer version, or doesn't have them so.
func (d *Dir) Later() (*Record, error) {
	raw, _, err := d.readFile(recordName)
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if err := oncejson.Decode(raw, r); err != nil {
		return nil, err
	}
	if r.Version <= Version {
		return nil, fmt.Errorf("version %d is not above %d", r.Version, Version)
	}
	return r, d.check(r, recordName)
}

// file is where the record of a phase is kept.
func (d *Dir) file(p Phase) string {
	if p == Creating {
		return filepath.Join(d.path, intentName)
	}
	return filepath.Join(d.path, recordName)
}
