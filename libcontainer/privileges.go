package libcontainer

import (
	"errors"
	"os"
	"path/filepath"

	"oci-run/libcontainer/internal/idmap"
)

// Unprivileged tells whether this process lacks what only the host's root has: it belongs to an
// ordinary user, or to the root of a user namespace, who may lack some of it, above all for
// cgroups.
func Unprivileged() bool { return os.Geteuid() != 0 || idmap.InUserNamespace() }

// DefaultRoot is the directory of a [Factory] that nobody named: /run/oci-run for root, and below
// $XDG_RUNTIME_DIR for users, which a user who became root of his own user namespace still is:
// Podman tells that root who he is by nothing but XDG_RUNTIME_DIR. A user's is made.
func DefaultRoot() (string, error) {
	root, users, err := defaultRoot()
	if err != nil || !users {
		return root, err
	}
	// The sticky bit keeps the cleaners of XDG_RUNTIME_DIR away (XDG Base Directory
	// Specification).
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	return root, os.Chmod(root, 0o700|os.ModeSticky)
}

// PlannedRoot is DefaultRoot for who makes nothing there: the directory need not exist. It is "" if
// there is none.
func PlannedRoot() string {
	root, _, _ := defaultRoot()
	return root
}

// defaultRoot tells too whether the directory is a user's.
func defaultRoot() (root string, users bool, err error) {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	ordinary := os.Geteuid() != 0 || dir != "" && os.Getenv("USER") != "root" && idmap.InUserNamespace()
	if dir == "" || !ordinary {
		if os.Geteuid() != 0 {
			return "", true, errors.New("neither --root nor XDG_RUNTIME_DIR is set; an ordinary user needs one of them")
		}
		return "/run/oci-run", false, nil
	}
	return filepath.Join(dir, "oci-run"), true, nil
}
