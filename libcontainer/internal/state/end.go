package state

import (
	"fmt"
	"path/filepath"

	"oci-run/internal/files"
	"oci-run/internal/oncejson"
)

// End is what is remembered of the end of a container's process, by who knew it.
type End struct {
	Code   int  `json:"code"`             // exit status, or 128 and the signal
	Signal int  `json:"signal,omitempty"` // that ended it
	OOM    bool `json:"oom,omitempty"`    // the kernel killed it for want of memory
}

// SaveEnd keeps the end, atomically: it is read without the lock. The lock is ours, since a delete
// could not remove a directory in which a file appears.
func (d *Dir) SaveEnd(e *End) error {
	raw, err := oncejson.Encode(e)
	if err != nil {
		return fmt.Errorf("encode %q: %w", endName, err)
	}
	path := filepath.Join(d.path, endName)
	if err := files.Write(path+stagedSuffix, raw, 0o600); err != nil {
		return err
	}
	return files.Rename(path+stagedSuffix, path)
}

// End reads what SaveEnd has kept, or returns fs.ErrNotExist.
func (d *Dir) End() (*End, error) {
	raw, _, err := d.readFile(endName)
	if err != nil {
		return nil, err
	}
	e := &End{}
	if err := oncejson.Decode(raw, e); err != nil {
		return nil, fmt.Errorf("parse %q: %w", filepath.Join(d.path, endName), err)
	}
	return e, nil
}
