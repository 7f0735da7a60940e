package configure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/linux"
)

// How much is read of a configuration, and of a program: more is not one that somebody has made.
const (
	largestText    = 1 << 20
	largestProgram = 1 << 28
)

// backupSuffix is behind the name of what a file was before.
const backupSuffix = ".before-oci-run"

// file is one of the host's as it was found.
type file struct {
	host  string // where the host's root is, "" for this process's
	path  string // on the host
	real  string // where it is, without links, for this process; of one that isn't there, where it will be
	stat  unix.Stat_t
	found bool
	text  string
}

// open looks at a file of the host's; that there is none isn't an error. A link is followed, but
// not out of the host's root. Whoever could make it lead elsewhere could change the file as well.
func open(host, path string, largest int64) (*file, error) {
	f := &file{host: host, path: path, real: filepath.Join(host, path)}
	root, err := unix.Open(filepath.Join(host, "/"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: filepath.Join(host, "/"), Err: err}
	}
	defer unix.Close(root)
	fd, err := linux.Openat2(root, path, unix.O_PATH, 0, unix.RESOLVE_IN_ROOT)
	if errors.Is(err, unix.ENOENT) {
		if target, err := os.Readlink(f.real); err == nil {
			return nil, fmt.Errorf("%q is a symbolic link to %q, which does not exist", f.real, target)
		}
		return f, nil
	}
	if err != nil {
		return nil, f.fault("open", err)
	}
	defer unix.Close(fd)
	return f, f.read(fd, largest)
}

func (f *file) fault(operation string, err error) error {
	return &fs.PathError{Op: operation, Path: f.real, Err: err}
}

// read reads what a descriptor of O_PATH stands for, once it is known to be a file.
func (f *file) read(fd int, largest int64) error {
	if err := unix.Fstat(fd, &f.stat); err != nil {
		return f.fault("stat", err)
	}
	if f.stat.Mode&unix.S_IFMT != unix.S_IFREG || f.stat.Size > largest {
		return fmt.Errorf("read %q: must be a file of at most %d bytes", f.real, largest)
	}
	real, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return err
	}
	f.real = real
	opened, err := files.Reopen(fd, unix.O_RDONLY)
	if err != nil {
		return f.fault("open", err)
	}
	defer unix.Close(opened)
	text, err := files.ReadFD(opened, f.real)
	if err != nil {
		return err
	}
	f.text, f.found = string(text), true
	return nil
}

// directory opens the one in which files are made before they get their name. Of directories whose
// files are all read as configuration (crio.conf.d, say) it is the one above: CRI-O reads each file
// there, whatever its name. Name is the file's in it.
func (f *file) directory() (fd int, dir, name string, err error) {
	dir, name = filepath.Dir(f.real), filepath.Base(f.real)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return -1, "", "", err
	}
	if strings.HasSuffix(dir, ".d") {
		dir, name = filepath.Dir(dir), filepath.Base(dir)+"/"+name
	}
	fd, err = unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, "", "", &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return fd, dir, name, nil
}

// write puts a text into the file, all at once, with a mode if it is a new one. With keep, what was
// there before is kept beside it, at the path that is returned.
func (f *file) write(text string, mode uint32, keep bool) (backup string, err error) {
	fd, dir, name, err := f.directory()
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if f.found && keep {
		backup = filepath.Join(dir, filepath.Base(f.real)+backupSuffix)
		if err := f.put(fd, filepath.Base(backup), f.text, mode, 0); err != nil {
			return "", &fs.PathError{Op: "write", Path: backup, Err: err}
		}
	}
	if err := f.unchanged(fd, name); err != nil {
		return "", err
	}
	var flags uint
	if !f.found {
		flags = unix.RENAME_NOREPLACE
	}
	if err := f.put(fd, name, text, mode, flags); err != nil {
		return "", f.fault("write", err)
	}
	return backup, nil
}

// remove removes the file.
func (f *file) remove() error {
	fd, _, name, err := f.directory()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := f.unchanged(fd, name); err != nil {
		return err
	}
	if err := unix.Unlinkat(fd, name, 0); err != nil {
		return f.fault("remove", err)
	}
	return unix.Fsync(fd)
}

// unchanged is an error if the file is another one than was read.
func (f *file) unchanged(dir int, name string) error {
	var now unix.Stat_t
	err := unix.Fstatat(dir, name, &now, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case !f.found && errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return f.fault("stat", err)
	case !f.found || now.Dev != f.stat.Dev || now.Ino != f.stat.Ino || now.Size != f.stat.Size || now.Mtim != f.stat.Mtim:
		return fmt.Errorf("write %q: somebody else has changed it meanwhile; nothing is written", f.real)
	}
	return nil
}

// put makes a file with a text and gives it a name in a directory. It has the owner and the mode of
// the one that was read before anybody else can open it.
func (f *file) put(dir int, name, text string, mode uint32, flags uint) error {
	var random [8]byte
	if _, err := unix.Getrandom(random[:], 0); err != nil {
		return err
	}
	made := fmt.Sprintf(".oci-run-%x", random)
	fd, err := unix.Openat(dir, made, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(fd), made)
	defer out.Close()
	err = f.fill(out, text, mode)
	if err == nil {
		err = unix.Renameat2(dir, made, dir, name, flags)
	}
	if err != nil {
		unix.Unlinkat(dir, made, 0)
		return err
	}
	return unix.Fsync(dir)
}

// fill writes a text to a file that has just been made, down to the disk.
func (f *file) fill(out *os.File, text string, mode uint32) error {
	var own unix.Stat_t
	fd := int(out.Fd())
	if err := unix.Fstat(fd, &own); err != nil {
		return err
	}
	if f.found {
		mode = f.stat.Mode & 0o7777
		if own.Uid != f.stat.Uid || own.Gid != f.stat.Gid {
			if err := unix.Fchown(fd, int(f.stat.Uid), int(f.stat.Gid)); err != nil {
				return fmt.Errorf("give it to %d:%d: %w", f.stat.Uid, f.stat.Gid, err)
			}
		}
	}
	if _, err := out.WriteString(text); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, mode); err != nil {
		return err
	}
	return unix.Fsync(fd)
}
