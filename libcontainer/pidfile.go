package libcontainer

import (
	"os"
	"path/filepath"
	"strconv"
)

// pidFile is a pid file on its way: it is complete, but not under its name yet.
type pidFile struct{ partial, path string }

// writePIDFile writes a pid in decimal, without a newline: go-runc parses the whole file
// as a number. Who waits for the file never sees half of it.
func writePIDFile(path string, pid int) error {
	f, err := newPIDFile(path, pid)
	if err != nil {
		return err
	}
	return f.commit()
}

// newPIDFile writes the file under another name.
func newPIDFile(path string, pid int) (*pidFile, error) {
	p := &pidFile{filepath.Join(filepath.Dir(path), "."+filepath.Base(path)), path}
	os.Remove(p.partial) // of a command that was killed here
	f, err := os.OpenFile(p.partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(strconv.Itoa(pid))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

// commit gives the file its name. A nil file is none.
func (p *pidFile) commit() error {
	if p == nil {
		return nil
	}
	if err := os.Rename(p.partial, p.path); err != nil {
		p.discard()
		return err
	}
	return nil
}

// discard removes a file that shall not appear.
func (p *pidFile) discard() {
	if p != nil {
		os.Remove(p.partial)
	}
}
