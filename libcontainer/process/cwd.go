package process

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// CreateCwd makes the working directory with mode 0755, and what is missing above it, if it does not exist. The root
// must still be writable. The spec asks that the directory exists; Docker and runc make it.
func (p *Plan) CreateCwd(root Root) error {
	if fd, err := root.open(p.Cwd); err == nil {
		return unix.Close(fd)
	} else if !errors.Is(err, unix.ENOENT) {
		return nil // EnterCwd will say why
	}
	old := unix.Umask(0)
	defer unix.Umask(old)
	for i := 1; i <= len(p.Cwd); i++ {
		if i < len(p.Cwd) && p.Cwd[i] != '/' {
			continue
		}
		if err := makeDir(root, p.Cwd[:i]); err != nil {
			return fmt.Errorf("create cwd %q: mkdir %q: %w", p.Cwd, p.Cwd[:i], err)
		}
	}
	return nil
}

func makeDir(root Root, path string) error {
	parent, err := root.openFor(filepath.Dir(path), unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	if err := unix.Mkdirat(parent, filepath.Base(path), 0o755); !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// EnterCwd changes to the working directory, which it looks up below the container's root without magic links, and then makes sure that the process really is below that root: an fd that leaked from the host, reached by a path such
// as /proc/self/fd/7, must not be a way out (CVE-2024-21626).
//
// It is called before the change of user, and again after it if the first call returned retry: on a file system such as NFS with
// squashed root, or in a directory that only the container's user may search, root may be the one who is refused.
func (p *Plan) EnterCwd(root Root, afterUser bool) (retry bool, err error) {
	fd, err := root.openFor(p.Cwd, unix.O_DIRECTORY)
	if err == nil {
		err = unix.Fchdir(fd)
		unix.Close(fd)
	}
	if err != nil {
		if isPermission(err) && !afterUser {
			return true, nil
		}
		return false, p.cwdError(root, err)
	}
	return false, p.verifyCwd()
}

func (p *Plan) cwdError(root Root, err error) error {
	return fmt.Errorf("chdir to cwd %q: %w%s", p.Cwd, err, p.cwdHint(root, err))
}

// cwdHint explains an error of EnterCwd.
func (p *Plan) cwdHint(root Root, err error) string {
	switch {
	case errors.Is(err, unix.ELOOP) && strings.HasPrefix(p.Cwd, "/proc/"):
		return " (it leads through a magic link, which could lead out of the container)"
	case isPermission(err):
		return parens(deniedBy(root, p.Cwd+"/.", p.who()))
	}
	return ""
}

// verifyCwd fails if the current directory is not below the root directory. The kernel puts "(unreachable)" in front of such a
// path (getcwd(2)), and gives ENOENT for a directory that is deleted.
func (p *Plan) verifyCwd() error {
	var buf [unix.PathMax]byte
	n, err := unix.Getcwd(buf[:])
	switch {
	case err != nil:
		return fmt.Errorf("cwd %q: getcwd: %w", p.Cwd, err)
	case n == 0 || buf[0] != '/':
		return p.cwdOutside()
	}
	return nil
}

func (p *Plan) cwdOutside() error {
	return fmt.Errorf("cwd %q is outside of the container's root: possible container breakout detected", p.Cwd)
}
