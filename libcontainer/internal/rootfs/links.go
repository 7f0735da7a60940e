package rootfs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/specconv"
)

// Links says what a bind mount does about symbolic links, which it follows otherwise. The options
// and their meaning are crun's; Podman's no-dereference is copy-symlink.
type Links uint8

const (
	copySource      Links = 1 << iota // copy-symlink: a source that is a link is made again in the container
	keepSource                        // src-nofollow: a source that is a link is mounted itself
	keepDestination                   // dest-nofollow: a destination that is a link is mounted on itself
)

// String names the options.
func (l Links) String() string {
	var names []string
	for _, o := range options {
		if o.kind == symlinks && l&Links(o.flag) != 0 {
			names = append(names, o.name)
		}
	}
	return strings.Join(names, ", ")
}

// checkLinks refuses these options where they mean nothing: they are about a bind mount's source
// and destination, and a link that is copied is not a mount.
func (m *Mount) checkLinks(given []string) error {
	if m.Links == 0 {
		return nil
	}
	at := slices.IndexFunc(given, func(name string) bool {
		o, _ := findOption(name)
		return o.kind == symlinks
	})
	pointer := m.pointer() + specconv.Pointer("options", at)
	switch {
	case m.Kind != Bind || m.Remount:
		return specconv.Fieldf(pointer, "%s is for bind mounts only", given[at])
	case m.Links&copySource != 0 && m.Links != copySource:
		return specconv.Fieldf(pointer, "copy-symlink can't stand beside src-nofollow or dest-nofollow: a link that is copied is not mounted")
	}
	return nil
}

// bindTarget opens where a bind mount goes, and makes it if it is missing.
func (mr *mounter) bindTarget(m *Mount, file bool) (int, error) {
	if m.Links&keepDestination == 0 {
		fd, _, err := mr.root.target(m.Destination, file)
		return fd, err
	}
	return mr.root.targetItself(m.Destination, file)
}

// copyLink makes the symbolic link that source is open at in the container. One that is there
// already and leads to the same place is left alone.
func (mr *mounter) copyLink(source int, m *Mount) error {
	target, _, err := readLink(source)
	if err != nil {
		return fmt.Errorf("read the link %q: %w", m.Source, err)
	}
	dir, name, err := mr.root.createParent(m.Destination)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	err = unix.Symlinkat(target, dir, name)
	if err == nil {
		return nil
	}
	if err == unix.EEXIST { //nolint:errorlint // a bare errno
		return sameLink(dir, m.Destination, target)
	}
	return fmt.Errorf("create the link %q to %q: %w%s", m.Destination, target, err, unwritable(dir, path.Dir(m.Destination), err))
}

// sameLink returns an error if what is in the container is not a link to the target.
func sameLink(dir int, unsafePath, target string) error {
	fd, err := linux.Openat2(dir, path.Base(unsafePath), unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return fmt.Errorf("open %q in the container: %w", unsafePath, err)
	}
	defer unix.Close(fd)
	there, isLink, err := readLink(fd)
	if err != nil {
		return fmt.Errorf("read the link %q in the container: %w", unsafePath, err)
	}
	if isLink && there == target {
		return nil
	}
	what := fmt.Sprintf("a symbolic link to %q", there)
	if !isLink {
		at, err := placeOf(fd)
		if err != nil {
			return err
		}
		what = kindOf(at.mode)
	}
	return fmt.Errorf("create a symbolic link to %q: %w (%q in the container is %s)", target, unix.EEXIST, unsafePath, what)
}
