package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ExecBirth opens what a process of an exec needs to be born into the container's cgroups, or below
// them. below has a path for each v1 controller it names, or one for all with the name ""; where it
// is silent, the container's own cgroup is meant. The caller closes it.
//
// The error is ErrGone if the container's own cgroup isn't there: it may have been moved to
// another, see BirthBeside.
func (m *Manager) ExecBirth(below map[string]string) (*Birth, error) {
	dirs, err := m.execDirs(below)
	if err != nil {
		return nil, err
	}
	b := &Birth{}
	for i, dir := range dirs {
		h := &m.record.Hierarchies[i]
		err := b.open(h, dir)
		switch {
		case err == nil:
		case m.record.Rootless && denied(err):
		case errors.Is(err, unix.ENOENT) && dir == h.Dir():
			b.Close()
			return nil, fmt.Errorf("%w: %w", ErrGone, err)
		default:
			b.Close()
			return nil, fmt.Errorf("exec: adding pid of the process to cgroup: %w", err)
		}
	}
	return b, nil
}

func (b *Birth) open(h *Hierarchy, dir string) error {
	name, flags := dir, unix.O_RDONLY|unix.O_DIRECTORY
	if !h.unified() {
		name, flags = dir+"/tasks", unix.O_WRONLY
	}
	fd, err := openFile(unix.AT_FDCWD, name, flags)
	if err != nil {
		return err
	}
	if f := os.NewFile(uintptr(fd), name); h.unified() {
		b.Unified = f
	} else {
		b.Tasks = append(b.Tasks, f)
	}
	return nil
}

// execDirs lists a directory for each hierarchy.
func (m *Manager) execDirs(below map[string]string) ([]string, error) {
	all := below[""]
	dirs := make([]string, len(m.record.Hierarchies))
	for i := range dirs {
		h := &m.record.Hierarchies[i]
		sub := all
		if m.record.Mode == Hybrid && h.unified() {
			sub = "" // it has no controllers; who names a path means theirs
		}
		dir, err := subDir(h.Dir(), sub)
		if err != nil {
			return nil, err
		}
		dirs[i] = dir
	}
	for controller, sub := range below {
		if controller == "" {
			continue
		}
		i := m.indexOf(controller)
		if i < 0 {
			return nil, fmt.Errorf("unknown controller %q in --cgroup", controller)
		}
		dir, err := subDir(m.record.Hierarchies[i].Dir(), sub)
		if err != nil {
			return nil, err
		}
		dirs[i] = dir
	}
	return dirs, nil
}

func (m *Manager) indexOf(controller string) int {
	for i := range m.record.Hierarchies {
		if h := &m.record.Hierarchies[i]; h.has(controller) || h.has("name="+controller) {
			return i
		}
	}
	return -1
}

// subDir is the cgroup at a path that a user gave below that of the container. It may not lead out
// of it.
func subDir(dir, sub string) (string, error) {
	for part := range strings.SplitSeq(sub, "/") {
		if part == ".." {
			return "", fmt.Errorf("bad sub cgroup path: %q leads out of the container's cgroup", sub)
		}
	}
	if strings.Contains(sub, "\x00") {
		return "", fmt.Errorf("bad sub cgroup path: %q", sub)
	}
	if sub = path.Clean("/" + sub); sub == "/" {
		return dir, nil
	}
	return dir + sub, nil
}

// helperThreads is what the helper of an exec takes of pids.max while it is there, with some room.
const helperThreads = 16

// Crowded tells whether the container is so near its limit of processes that the helper of an exec,
// which has several threads, might not find room. The process itself then has to be moved in by
// ExecJoin.
func (m *Manager) Crowded() bool {
	dir := m.Path("pids")
	if dir == "" {
		return false
	}
	text, err := readFile(dir + "/pids.max")
	limit := limitOf(text)
	if err != nil || limit <= 0 {
		return false
	}
	text, err = readFile(dir + "/pids.current")
	return err == nil && limit-limitOf(text) < helperThreads
}

// ExecJoin moves process pid, which waits to become one of the container's, into its cgroups or
// below them, see ExecBirth. This is slow: the kernel makes all others wait.
func (m *Manager) ExecJoin(below map[string]string, pid int) error {
	dirs, err := m.execDirs(below)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		err := joinDir(dir, strconv.Itoa(pid))
		if err != nil && denied(err) && m.Attaches() {
			return m.ExecAttach(below, pid, pid)
		}
		if err != nil && !(m.record.Rootless && denied(err)) {
			return fmt.Errorf("exec: adding pid %d to cgroup: %w", pid, err)
		}
	}
	return nil
}

// BirthBeside opens what a process needs to be born into the cgroups in which process pid is: the
// container's init may have been moved, or have moved itself below the container's cgroup and given
// that controllers, so that it can't hold processes any more (cgroups(7), "no internal processes").
// The caller closes it.
func (m *Manager) BirthBeside(pid int) (*Birth, error) {
	memberships, err := readMembership(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	b := &Birth{}
	for i := range m.record.Hierarchies {
		h := &m.record.Hierarchies[i]
		for _, is := range memberships {
			if is.unified() != h.unified() || !is.unified() && !h.has(is.controllers[0]) {
				continue
			}
			if err := b.open(h, h.Mount+strings.TrimSuffix(is.path, "/")); err != nil {
				b.Close()
				return nil, fmt.Errorf("exec: adding pid of the process to cgroup: %w", err)
			}
		}
	}
	return b, nil
}
