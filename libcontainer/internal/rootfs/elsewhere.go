package rootfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
)

// Where the container's process is a list of calls, its root is made by a thread of the command's
// that is in all of the container's namespaces but its pid namespace. A procfs shows the pids of
// the namespace that the caller of fsopen(2) is in (proc_init_fs_context of the kernel): so the
// process makes the superblock of each, and hands over its context, from which the thread makes the
// mount when it is that one's turn.

// maxProcs bounds how many superblocks the process hands over: they go in one message.
const maxProcs = 100

// NeedsInit says why the root can't be made by a thread that is not in the container's pid
// namespace and not in its cgroup, or "".
func (p *Plan) NeedsInit() string {
	switch {
	case !p.MountNS:
		return "there is no mount namespace"
	case p.UserNS:
		return "there is a user namespace"
	case p.NoPivot:
		return "the root is not pivoted"
	}
	procs := 0
	for i := range p.Mounts {
		m := &p.Mounts[i]
		if m.Kind == Proc {
			procs++
		}
		switch {
		case procs > maxProcs:
			return fmt.Sprintf("there are more than %d mounts of type proc", maxProcs)
		case m.CopyUp: // the pages of a tmpfs are accounted to the cgroup of who writes them
			return fmt.Sprintf("what is copied to %q counts as the container's memory", m.Destination)
		case m.Kind == Proc && m.legacy():
			return fmt.Sprintf("the options of the mount on %q are not for fsconfig", m.Destination)
		case m.Kind == Filesystem && strings.HasPrefix(m.Type, "fuse"): // shows its server the pids of who mounts it
			return fmt.Sprintf("the mount on %q is of type %q", m.Destination, m.Type)
		}
	}
	return ""
}

// ShowsCgroups tells whether there is a mount of type cgroup, which is made in the cgroup namespace
// of the container.
func (p *Plan) ShowsCgroups() bool {
	return p.has(func(m *Mount) bool { return m.isCgroup() && !m.Remount })
}

// Context is the superblock of a mount, made by the container's process.
type Context struct {
	Index int     // of the mount in Plan.Mounts
	FD    uintptr // address of the descriptor's number in the process's memory, four bytes
}

// AddProcs adds the calls that make the superblock of each procfs.
func (p *Plan) AddProcs(l *calls.List) (list []Context) {
	for i := range p.Mounts {
		if m := &p.Mounts[i]; m.Kind == Proc && !m.Remount {
			list = append(list, Context{i, p.addSuperblock(l, m)})
		}
	}
	return list
}

// addSuperblock is [filesystem.context] as calls of a list. What the kernel has to say about an
// error is in the context, which is the process's: to explain one, the same is tried here.
func (p *Plan) addSuperblock(l *calls.List, m *Mount) (fd uintptr) {
	s := p.filesystem(m)
	fail := func(name string, what *setting) func(unix.Errno) error {
		return func(errno unix.Errno) error {
			ctx, err := s.context()
			if err == nil {
				unix.Close(ctx)
				if err = linux.NameCall(name, errno); what != nil {
					err = what.failure(err)
				}
			}
			return p.failure(m, err)
		}
	}
	open := l.Do(unix.SYS_FSOPEN, l.Text(m.Type), unix.FSOPEN_CLOEXEC)
	open.Result, open.Explain = l.Room(8), fail("fsopen", nil)
	config := func(explain func(unix.Errno) error, args ...uintptr) {
		l.On(open.Result, unix.SYS_FSCONFIG, args...).Explain = explain
	}
	_ = s.settings(func(s setting) error { // which gives none
		value := uintptr(0)
		if s.command == unix.FSCONFIG_SET_STRING {
			value = l.Text(s.value)
		}
		config(fail("fsconfig", &s), s.command, l.Text(s.key), value)
		return nil
	})
	config(fail("fsconfig", nil), unix.FSCONFIG_CMD_CREATE)
	return open.Result
}

// Supply says that FS is used outside of the container's pid namespace, in which its process has
// this pid, and takes what the process has made for the mounts with these indexes, which is FS's
// then. Links of procfs that lead to the process are resolved here: for us they lead nowhere.
// Between [Open] and [FS.Mounts].
func (f *FS) Supply(pid int, mounts []int, contexts []*os.File) {
	f.root.self = strconv.Itoa(pid)
	f.prepared.mounts, f.prepared.files = mounts, contexts
}
