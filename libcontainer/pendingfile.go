package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// pendingFile is a file on its way to a directory that is not ours: it is complete, but not
// under its name yet. What has the name stays until then, and is then replaced: if it is a
// symbolic link, the link.
type pendingFile struct{ partial, path string }

// newPendingFile writes the file, under a name that nothing has. In a directory that
// others may write to, they may guess it: their file is not touched, nor their link followed.
func newPendingFile(path string, data []byte, mode os.FileMode) (*pendingFile, error) {
	f, err := createNew(filepath.Dir(path), mode)
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("create %q: %w", path, cause.Err) // the other name would only confuse
	}
	if err != nil {
		return nil, err
	}
	p := &pendingFile{f.Name(), path}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

// createNew creates a file for the moment. A command that was killed may have left one of the same
// name.
func createNew(dir string, mode os.FileMode) (*os.File, error) {
	const enough = 1000
	for n := 0; ; n++ {
		name := ".oci-run." + strconv.Itoa(os.Getpid()) + "." + strconv.Itoa(n)
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, mode)
		if err == nil || !errors.Is(err, fs.ErrExist) || n == enough {
			return f, err
		}
	}
}

// commit gives the file its name. A nil file is none.
func (p *pendingFile) commit() error {
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
func (p *pendingFile) discard() {
	if p != nil {
		os.Remove(p.partial)
	}
}
