package idmap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// defaultPath is where the helpers are sought if the caller's environment has no PATH: engines call
// with an empty one.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// mapFile is what is particular to uids or gids.
type mapFile struct {
	name, helper string
	own          int  // the caller's id, the only one that it may map without a privilege
	groups       bool // writing it without a privilege takes that the namespace gives up setgroups(2)
}

// Write gives the new user namespace of process pid its mappings. A caller that is root writes them
// itself. Another user can map one id, its own, for which it gives up setgroups(2) in the
// namespace; everything else is done by newuidmap(1) and newgidmap(1), which are privileged and go
// by /etc/subuid and /etc/subgid.
func Write(pid int, uids, gids []Mapping) error {
	for _, f := range []struct {
		mapFile
		maps []Mapping
	}{
		{mapFile{name: "gid_map", helper: "newgidmap", own: os.Getegid(), groups: true}, gids},
		{mapFile{name: "uid_map", helper: "newuidmap", own: os.Geteuid()}, uids},
	} {
		if err := f.write(pid, f.maps); err != nil {
			return err
		}
	}
	return nil
}

func (f *mapFile) write(pid int, maps []Mapping) error {
	text, err := Format(maps)
	if err != nil {
		return fmt.Errorf("write %q: %w", procPath(pid, f.name), err)
	}
	switch {
	case os.Geteuid() == 0:
		err := writeOnce(procPath(pid, f.name), text)
		if errors.Is(err, os.ErrPermission) && f.runHelper(pid, maps) == nil {
			return nil // root of a namespace without CAP_SETUID
		}
		return err
	case !f.mapsOwn(maps):
		return f.runHelper(pid, maps)
	case f.groups:
		if err := writeOnce(procPath(pid, "setgroups"), []byte("deny")); err != nil {
			return err
		}
	}
	return writeOnce(procPath(pid, f.name), text)
}

// mapsOwn tells whether maps is the one mapping that needs no privilege.
func (f *mapFile) mapsOwn(maps []Mapping) bool {
	few := compact(maps)
	return len(few) == 1 && few[0].Size == 1 && few[0].HostID == uint32(f.own)
}

// writeOnce writes data in one system call to a file that exists.
func writeOnce(path string, data []byte) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, data); err != nil {
		return fmt.Errorf("write %q to %q: %w", bytes.TrimSuffix(data, []byte{'\n'}), path, err)
	}
	return nil
}

// runHelper lets newuidmap(1) or newgidmap(1) write the map.
func (f *mapFile) runHelper(pid int, maps []Mapping) error {
	path, err := findHelper(f.helper)
	if err != nil {
		return fmt.Errorf("write %q as uid %d: %w", procPath(pid, f.name), os.Geteuid(), err)
	}
	args := []string{path, strconv.Itoa(pid)}
	for _, m := range compact(maps) {
		for _, n := range [...]uint32{m.ContainerID, m.HostID, m.Size} {
			args = append(args, strconv.FormatUint(uint64(n), 10))
		}
	}
	out, err := (&exec.Cmd{Path: path, Args: args}).CombinedOutput()
	if err != nil {
		return specconv.Fieldf("/linux/"+f.name[:len("uid")]+"Mappings", "%s: %w: %s (a user's own ids are those in /etc/subuid and /etc/subgid)",
			strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func findHelper(name string) (string, error) {
	path := os.Getenv("PATH")
	if path == "" {
		path = defaultPath
	}
	for _, dir := range filepath.SplitList(path) {
		candidate := filepath.Join(dir, name)
		if filepath.IsAbs(dir) && unix.Access(candidate, unix.X_OK) == nil {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("%s is not in %q: install it (package uidmap or shadow-utils), or map only your own id", name, path)
}
