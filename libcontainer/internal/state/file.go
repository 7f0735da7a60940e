package state

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
)

// maxFile bounds what is read into memory: config.json may have as much (package specconv), and
// nothing here has more.
const maxFile = 64 << 20

// errNotRegular is the reason why a file of the directory isn't read.
var errNotRegular = errors.New("it is not a regular file")

// readFile reads a file of the directory, which may be damaged: a link is not followed, and neither
// a FIFO nor a device is read or waited for. fs.ErrNotExist says that there is none.
func (d *Dir) readFile(name string) ([]byte, fileID, error) {
	path := filepath.Join(d.path, name)
	fd, err := d.openFile(name)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) { // a symbolic link, a socket
		err = errNotRegular
	}
	if err != nil {
		return nil, fileID{}, fmt.Errorf("open %q: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err != nil {
		return nil, fileID{}, fmt.Errorf("fstat %q: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = errNotRegular
	case st.Size > maxFile:
		err = fmt.Errorf("%d bytes are more than the %d that it may have", st.Size, maxFile)
	}
	if err != nil {
		return nil, fileID{}, fmt.Errorf("read %q: %w", path, err)
	}
	data, err := files.ReadFD(fd, path)
	return data, fileID{st.Ino, st.Mtim}, err
}

// openFile opens a file of the directory that is open, whatever stands under its name by now.
func (d *Dir) openFile(name string) (int, error) {
	for {
		fd, err := unix.Openat(int(d.dir.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// SaveConfig keeps a verbatim copy of config.json: the bundle may change after create.
func (d *Dir) SaveConfig(raw []byte) error {
	return files.Write(filepath.Join(d.path, configName), raw, 0o600)
}

// Config returns the config.json that the container was created with.
func (d *Dir) Config() ([]byte, error) {
	raw, _, err := d.readFile(configName)
	return raw, err
}

// SaveFilter keeps the compiled seccomp filter, in a form of package seccomp's.
func (d *Dir) SaveFilter(raw []byte) error {
	return files.Write(filepath.Join(d.path, filterName), raw, 0o600)
}

// Filter returns what SaveFilter has kept, or fs.ErrNotExist.
func (d *Dir) Filter() ([]byte, error) {
	raw, _, err := d.readFile(filterName)
	return raw, err
}
