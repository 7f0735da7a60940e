package rootfs

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// rootIndex stands in Plan.Prepared for the root's mount.
const rootIndex = -1

// maxPrepared bounds what Prepare makes: the fds go in one message.
const maxPrepared = 8

// Prepare makes, in the parent, what is the same whoever makes it: it depends on no namespace but
// the host's mounts, of which init has a copy. The parent has the time for it while init starts,
// for which everybody waits. It is for a new mount namespace without a user namespace.
// Plan.Prepared then says what the files are; [Open] takes them.
//
// From Linux 6.8 on, /proc/PID/mountinfo is in the order in which mounts were made, and programs
// expect that of the configuration. So what costs time is made here, and init makes the mount of
// it, when it is its turn: a filesystem is a context with its superblock, the hierarchies of
// version 1 are a tree that init clones. Only the root is a mount already: it is the first. What
// can't be made is left to init, which tries it again and says what is wrong.
func Prepare(p *Plan) []*os.File {
	if p.Propagation&^(unix.MS_SLAVE|unix.MS_REC) != 0 {
		return nil // init changes its copy of the host's mounts to something else than slaves
	}
	defer unix.Umask(unix.Umask(0)) // as init's: modes are exact
	root, err := p.cloneRoot()
	if err != nil {
		return nil
	}
	p.Prepared = []int{rootIndex}
	files := []*os.File{root}
	for i := range p.Mounts {
		m := &p.Mounts[i]
		fd, err := -1, error(nil)
		switch {
		case len(files) == maxPrepared:
			continue
		case m.independent():
			s := p.filesystem(m)
			fd, err = s.context()
		case p.copiesCgroups(m):
			c := cgroupMounter{plan: p, mount: m, outside: true}
			fd, err = c.hierarchies()
		default:
			continue
		}
		if err == nil {
			p.Prepared = append(p.Prepared, i)
			files = append(files, os.NewFile(uintptr(fd), "mount"))
		}
	}
	return files
}

// cloneRoot clones the root as [Open] does, from mounts that aren't slaves of the host's but the
// host's.
func (p *Plan) cloneRoot() (*os.File, error) {
	fd, err := linux.OpenTree(unix.AT_FDCWD, p.Root, unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)
	if err != nil {
		return nil, err
	}
	if err := linux.MountSetattr(fd, unix.AT_RECURSIVE, &unix.MountAttr{Propagation: unix.MS_SLAVE}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), p.Root), nil
}

// independent tells whether a new filesystem is the same in whatever namespaces it is made, and
// wherever it is attached: a tmpfs without a mode takes that of the directory below.
func (m *Mount) independent() bool {
	if m.Remount || m.IDMap != nil || m.legacy() {
		return false
	}
	return m.Kind == Filesystem && m.Type == "devpts" || m.Kind == Tmpfs && m.hasMode()
}

func (m *Mount) hasMode() bool {
	return slices.ContainsFunc(m.Params, func(p Param) bool { return p.Key == "mode" && p.HasValue })
}

// copiesCgroups tells whether a mount is made of copies of the host's version 1 mounts.
func (p *Plan) copiesCgroups(m *Mount) bool {
	return m.isCgroup() && !m.Remount && !p.CgroupNS && p.unified(m) == nil
}

// prepared is what somebody else has made for mounts of the plan: the command ([Prepare]) or,
// where the container's process is a list of calls, that ([FS.Supply]). Each step that attaches
// such a mount takes it; what is left is closed with [FS.Close].
type prepared struct {
	mounts []int      // indexes in Plan.Mounts, or rootIndex
	files  []*os.File // as many, nil once taken
}

// take returns what was prepared for the mount with the index i, which is the caller's then.
func (p *prepared) take(i int) (fd int, found bool) {
	for n, file := range p.files {
		if p.mounts[n] == i && file != nil {
			p.files[n] = nil
			fd, err := dup(int(file.Fd()))
			file.Close()
			return fd, err == nil
		}
	}
	return -1, false
}

func (p *prepared) close() {
	for _, file := range p.files {
		if file != nil {
			file.Close()
		}
	}
	p.files = nil
}
