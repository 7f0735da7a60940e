package rootfs

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// cgroupMount is where systemd and everybody after it mounts cgroup v2.
const cgroupMount = "/sys/fs/cgroup"

// mountCgroup shows the container its cgroups. With a cgroup namespace that is a new mount, whose
// root is the container's cgroup; without one, a copy of what the host has.
func (mr *mounter) mountCgroup(i int, m *Mount, target int) error {
	c := cgroupMounter{plan: mr.plan, mount: m}
	if unified := mr.plan.unified(m); unified != nil {
		return c.unified(unified, target)
	}
	return mr.mountHierarchies(i, &c, target)
}

// mountHierarchies shows what a version 1 host has at /sys/fs/cgroup: a tmpfs with a mount for each
// hierarchy, and links from the name of each controller to the hierarchy that it shares with
// others.
func (mr *mounter) mountHierarchies(i int, c *cgroupMounter, target int) error {
	if tree, found := mr.prepared.take(i); found {
		fd, err := linux.OpenTree(tree, "", unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE|unix.AT_EMPTY_PATH)
		unix.Close(tree)
		if err != nil {
			return fmt.Errorf("clone: %w", err)
		}
		mr.kept.late = append(mr.kept.late, late{fd, c.mount}) // closed later in any case
		return attach(fd, target)
	}
	fd, err := c.dir()
	if err != nil {
		return err
	}
	mr.kept.late = append(mr.kept.late, late{fd, c.mount})
	if err := attach(fd, target); err != nil {
		return err
	}
	return c.fill(fd)
}

// unified gives the version 2 hierarchy if that is all that the mount shows.
func (p *Plan) unified(m *Mount) *Hierarchy {
	for i := range p.Cgroups {
		if h := &p.Cgroups[i]; h.V2 && (len(p.Cgroups) == 1 || m.Kind == Cgroup2) {
			return h
		}
	}
	if len(p.Cgroups) == 0 || m.Kind == Cgroup2 {
		return &Hierarchy{V2: true, Mount: cgroupMount}
	}
	return nil
}

// visible is what a copy shows: with a cgroup namespace the container's own cgroup, "" if it has
// none, otherwise the whole, in which the paths of /proc/self/cgroup are.
func (h *Hierarchy) visible(p *Plan) string {
	if p.CgroupNS {
		return h.Path
	}
	return h.Mount
}

// cgroupMounter makes one mount of type cgroup or cgroup2, and lives as long. It knows nothing of
// the container's root: where the mount goes is opened by who calls it. That is [mounter], which
// calls unified, or dir and fill; and in the parent [Prepare], which calls hierarchies.
type cgroupMounter struct {
	plan    *Plan
	mount   *Mount
	outside bool // this is the parent, which sees the host's mounts themselves
}

// unified mounts cgroup v2. The kernel refuses that in a user namespace without a cgroup
// namespace of its own (EPERM), or if the host has mounted it with other options (EBUSY).
func (c *cgroupMounter) unified(h *Hierarchy, target int) error {
	fresh := *c.mount
	fresh.Type = "cgroup2"
	s := c.plan.filesystem(&fresh)
	fd, err := s.detached()
	if source := h.visible(c.plan); source != "" && c.copiable(err) {
		return c.bind(source, target)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return show(fd, target, c.mount)
}

// copiable tells whether a copy of the host's mount may take the place of a new one that was
// refused.
func (c *cgroupMounter) copiable(err error) bool {
	return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EPERM) && c.plan.inUserNamespace()
}

// bind attaches a copy of the host's mount. It has the wished flags and never fewer: a copy
// that stays writable against the configuration is CVE-2023-25809.
func (c *cgroupMounter) bind(source string, target int) error {
	fd, err := linux.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("bind source %q: %w", source, err)
	}
	defer unix.Close(fd)
	attr := unix.MountAttr{Attr_set: attrBits(c.mount.Attr.Set &^ accessTimes)}
	if c.outside {
		attr.Propagation = unix.MS_SLAVE // as init's copy of the host's mounts is
	}
	if attr != (unix.MountAttr{}) {
		if err := linux.MountSetattr(fd, unix.AT_RECURSIVE, &attr); err != nil {
			return fmt.Errorf("change the attributes of %q: %w", source, err)
		}
	}
	return show(fd, target, c.mount)
}

// hierarchies makes the whole detached. Kernels before 6.15 attach nothing in a tree that isn't
// attached itself.
func (c *cgroupMounter) hierarchies() (int, error) {
	fd, err := c.dir()
	if err != nil {
		return -1, err
	}
	if err := c.fill(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// dir makes the tmpfs.
func (c *cgroupMounter) dir() (int, error) {
	m := c.mount
	dir := Mount{
		Kind: Tmpfs, Type: "tmpfs", Source: "tmpfs", Destination: m.Destination, Propagation: m.Propagation,
		Params: []Param{{Key: "mode", Value: "755", HasValue: true}},
		Attr:   Flags{Set: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | m.Attr.Set},
	}
	s := c.plan.filesystem(&dir)
	fd, err := s.detached()
	if err != nil {
		return -1, err
	}
	if err := decorate(fd, &dir); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// fill mounts each hierarchy in the tmpfs.
func (c *cgroupMounter) fill(fd int) error {
	for i := range c.plan.Cgroups {
		if err := c.hierarchy(&c.plan.Cgroups[i], fd); err != nil {
			return fmt.Errorf("hierarchy %q: %w", c.plan.Cgroups[i].Name, err)
		}
	}
	return nil
}

// hierarchy mounts one hierarchy in the tmpfs, which nobody else has seen yet.
func (c *cgroupMounter) hierarchy(h *Hierarchy, dir int) error {
	name := path.Base(h.Name)
	if err := unix.Mkdirat(dir, name, 0o755); err != nil {
		return fmt.Errorf("mkdir: %w", err)
	}
	target, err := linux.Openat2(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0, unix.RESOLVE_BENEATH)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if err := c.attachHierarchy(h, target); err != nil {
		return err
	}
	if !strings.Contains(name, ",") {
		return nil
	}
	for controller := range strings.SplitSeq(name, ",") {
		if err := unix.Symlinkat(name, dir, controller); err != nil && err != unix.EEXIST {
			return fmt.Errorf("symlink %q: %w", controller, err)
		}
	}
	return nil
}

func (c *cgroupMounter) attachHierarchy(h *Hierarchy, target int) error {
	m := c.mount
	if !c.plan.CgroupNS {
		return c.bind(orElse(h.Path, h.Mount), target)
	}
	fresh := Mount{Kind: Cgroup, Type: "cgroup", Source: "cgroup", Attr: m.Attr, Propagation: m.Propagation, Rec: m.Rec}
	fresh.Attr.Set |= unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if h.V2 {
		fresh.Type = "cgroup2"
	}
	for _, o := range h.Options {
		fresh.Params = appendParams(fresh.Params, o, -1, false)
	}
	s := c.plan.filesystem(&fresh)
	fd, err := s.detached()
	if err != nil {
		// A hierarchy with options that aren't known here (noprefix) can only be copied. Without a
		// cgroup of its own in it the container would see all.
		if h.Path == "" {
			return err
		}
		if bindErr := c.bind(h.Path, target); bindErr != nil {
			return errors.Join(err, bindErr)
		}
		return nil
	}
	defer unix.Close(fd)
	return show(fd, target, &fresh)
}
