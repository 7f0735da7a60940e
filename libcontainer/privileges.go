package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

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

// runtimeDir is the directory that pam_systemd makes for a user at login and names by
// XDG_RUNTIME_DIR, which su(1) and cron(8) don't pass on. It is "" unless it is the user's, and
// nobody else can write to it.
func runtimeDir() string {
	dir := fmt.Sprintf("/run/user/%d", os.Geteuid())
	var st unix.Stat_t
	err := unix.Lstat(dir, &st)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return ""
	}
	return dir
}

// defaultRoot tells too whether the directory is a user's.
func defaultRoot() (root string, users bool, err error) {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	ordinary := os.Geteuid() != 0 || dir != "" && os.Getenv("USER") != "root" && idmap.InUserNamespace()
	if dir == "" || !ordinary {
		if os.Geteuid() == 0 {
			return "/run/oci-run", false, nil
		}
		if dir = runtimeDir(); dir == "" {
			return "", true, fmt.Errorf("neither --root nor XDG_RUNTIME_DIR is set, and there is no \"/run/user/%d\" that is the user's own: "+
				"log in by way of systemd-logind, or name a directory with --root", os.Geteuid())
		}
	}
	return filepath.Join(dir, "oci-run"), true, nil
}
