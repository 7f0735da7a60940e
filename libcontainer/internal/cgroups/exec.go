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

// entrance is the way in for a process of an exec, into the cgroups of a container that runs.
type entrance struct {
	*location
	*scope
}

// ExecBirth opens what a process of an exec needs to be born into the container's cgroups, or below
// them. below has a path for each v1 controller it names, or one for all with the name ""; where it
// is silent, the container's own cgroup is meant. The caller closes it.
//
// The error is ErrGone if the container's own cgroup isn't there: it may have been moved to
// another, see BirthBeside.
func (e *entrance) ExecBirth(below map[string]string) (*Birth, error) {
	dirs, err := e.execDirs(below)
	if err != nil {
		return nil, err
	}
	b := &Birth{}
	for i, dir := range dirs {
		h := &e.record.Hierarchies[i]
		err := b.open(h, dir)
		switch {
		case err == nil:
		case e.record.Rootless && denied(err):
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
func (e *entrance) execDirs(below map[string]string) ([]string, error) {
	all := below[""]
	dirs := make([]string, len(e.record.Hierarchies))
	for i := range dirs {
		h := &e.record.Hierarchies[i]
		sub := all
		if e.record.Mode == Hybrid && h.unified() {
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
		i := e.indexOf(controller)
		if i < 0 {
			return nil, fmt.Errorf("unknown controller %q in --cgroup", controller)
		}
		dir, err := subDir(e.record.Hierarchies[i].Dir(), sub)
		if err != nil {
			return nil, err
		}
		dirs[i] = dir
	}
	return dirs, nil
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
func (e *entrance) Crowded() bool {
	dir := e.Path("pids")
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

// BirthBeside opens what a process needs to be born into the cgroups in which process pid is: the
// container's init may have been moved, or have moved itself below the container's cgroup and given
// that controllers, so that it can no longer hold processes (cgroups(7), "no internal processes").
// The caller closes it.
func (e *entrance) BirthBeside(pid int) (*Birth, error) {
	memberships, err := readMembership(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	b := &Birth{}
	for i := range e.record.Hierarchies {
		h := &e.record.Hierarchies[i]
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

// ExecJoin moves process pid, which waits to become one of the container's, into its cgroups or
// below them, see ExecBirth. This is slow: the kernel makes all others wait.
func (e *entrance) ExecJoin(below map[string]string, pid int) error {
	dirs, err := e.execDirs(below)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		err := joinDir(dir, strconv.Itoa(pid))
		if err != nil && denied(err) && e.Attaches() {
			return e.ExecAttach(below, pid, pid)
		}
		if err != nil && !(e.record.Rootless && denied(err)) {
			return fmt.Errorf("exec: adding pid %d to cgroup: %w", pid, err)
		}
	}
	return nil
}

// ExecAttach has systemd move process pid into the scope, or the cgroup below it that the user
// asked for, see ExecBirth. A process may only be moved by who may write to the cgroup that the old
// and the new one have above them. For a user who is not in his own manager's part of the tree, in
// a login session or a cron job, that is the system's; his manager asks the system's to do it.
//
// If no cgroup was asked for and the scope's own can't hold processes, that of process init is
// meant, see BirthBeside.
func (e *entrance) ExecAttach(below map[string]string, pid, init int) error {
	dirs, err := e.execDirs(below)
	if err != nil || len(dirs) == 0 {
		return err
	}
	c, err := e.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	h := &e.record.Hierarchies[0]
	attach := func(dir string) error {
		return c.Attach(e.record.Unit, "/"+strings.TrimPrefix(strings.TrimPrefix(dir, h.Dir()), "/"), []uint32{uint32(pid)})
	}
	if err = attach(dirs[0]); err == nil || len(below) > 0 {
		return err
	}
	is, rerr := readMembership(fmt.Sprintf("/proc/%d/cgroup", init))
	if rerr != nil || len(is) != 1 || !strings.HasPrefix(h.Mount+is[0].path, h.Dir()+"/") {
		return err
	}
	return attach(h.Mount + is[0].path)
}
