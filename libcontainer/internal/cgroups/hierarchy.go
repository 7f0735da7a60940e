package cgroups

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Hierarchy is the container's cgroup in one of the host's hierarchies.
type Hierarchy struct {
	// Controllers are the names that /proc/PID/cgroup gives the hierarchy: "cpu", "cpuacct";
	// "name=systemd". None for the unified hierarchy.
	Controllers []string `json:"controllers,omitempty"`
	// Mount is the absolute path where the hierarchy is mounted.
	Mount string `json:"mount"`
	// Path is the cgroup's path below Mount, beginning with a slash.
	Path string `json:"path"`
}

// Dir gives the absolute path of the cgroup.
func (h *Hierarchy) Dir() string { return h.Mount + strings.TrimSuffix(h.Path, "/") }

// Name gives the name that the hierarchy's mount point has in its parent directory: "memory",
// "cpu,cpuacct".
func (h *Hierarchy) Name() string { return filepath.Base(h.Mount) }

func (h *Hierarchy) unified() bool { return len(h.Controllers) == 0 }

// has tells whether the hierarchy holds a controller; "" is the unified hierarchy itself.
func (h *Hierarchy) has(controller string) bool {
	if controller == "" {
		return h.unified()
	}
	return slices.Contains(h.Controllers, controller)
}

// magic is the file system type of the hierarchy's mount.
func (h *Hierarchy) magic() int64 {
	if h.unified() {
		return unix.CGROUP2_SUPER_MAGIC
	}
	return unix.CGROUP_SUPER_MAGIC
}

// planPaths finds the place of a new container's cgroup in every hierarchy. An absolute path counts
// from the mount point, a relative one from the caller's own cgroup, an absent one is the
// container's id and relative (runtime-spec, config-linux "Cgroups Path"; which directory
// "relative" means is left to the runtime: runc's choice).
func planPaths(mode Mode, cgroupsPath, id string) ([]Hierarchy, error) {
	path, relative := cgroupsPath, false
	if path == "" {
		path = id
	}
	if relative = !strings.HasPrefix(path, "/"); relative {
		path = "/" + path
	}
	path = filepath.Clean(path) // lexically, so ".." can't leave the hierarchy
	own, err := readMembership("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	hs := make([]Hierarchy, 0, len(own))
	for _, o := range own {
		if skipHierarchy(mode, &o) {
			continue
		}
		h, parent, ok, err := locate(mode, &o, relative)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		h.Path = filepath.Join(parent, path)
		hs = append(hs, h)
	}
	return hs, nil
}

// skipHierarchy leaves out hierarchies that no container is to be moved in: v1 ones on a v2 host's
// view, the unified one where it isn't mounted, and named ones that other software made for itself.
func skipHierarchy(mode Mode, o *membership) bool {
	if o.unified() {
		return mode == V1
	}
	if mode == V2 {
		return true
	}
	for _, c := range o.controllers {
		if c == "name=systemd" || !strings.HasPrefix(c, "name=") {
			return false
		}
	}
	return true
}

// locate finds a hierarchy's mount point and the cgroup, seen from there, in which a relative path
// begins. The usual place is looked at first; the mount table is read only if there is nothing, or
// if the mount may show a part of the hierarchy only (in a container without a cgroup namespace).
func locate(mode Mode, o *membership, relative bool) (h Hierarchy, parent string, ok bool, err error) {
	h.Controllers = o.controllers
	for _, name := range o.mountNames(mode) {
		h.Mount = mountRoot + name
		if !isType(h.Mount, h.magic()) {
			continue
		}
		if !relative || o.path == "/" || showsRoot(&h) {
			return h, o.parent(mode, relative), true, nil
		}
		break
	}
	mounts, err := cgroupMounts()
	if err != nil {
		return h, "", false, err
	}
	for i := range mounts {
		if mt := &mounts[i]; mt.holds(o) {
			h.Mount = mt.point
			if !relative {
				return h, "/", true, nil
			}
			rel, err := filepath.Rel(mt.root, o.path)
			if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
				return h, "", false, fmt.Errorf("cgroup %q of the caller is not below %q, which is mounted at %q",
					o.path, mt.root, mt.point)
			}
			visible := membership{o.controllers, filepath.Join("/", rel)}
			return h, visible.parent(mode, true), true, nil
		}
	}
	return h, "", false, nil
}

// showsRoot tells whether the mount point is the hierarchy's real root. Only that one has
// release_agent (v1), only that one lacks cgroup.type (v2). In a cgroup namespace it is not, which
// costs a look at the mount table, no more.
func showsRoot(h *Hierarchy) bool {
	if h.unified() {
		return unix.Access(h.Mount+"/cgroup.type", unix.F_OK) == unix.ENOENT
	}
	return unix.Access(h.Mount+"/release_agent", unix.F_OK) == nil
}
