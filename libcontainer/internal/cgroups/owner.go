package cgroups

import (
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ownerOf gives the host's user id that the container's cgroup is handed over to, or -1. The
// conditions are those of runtime-spec, config-linux, "Cgroup ownership": v2, a cgroup namespace of
// its own and a writable mount of it. The new owner is the user that the process runs as, as the
// user namespace maps it; without one there is nobody to hand over to.
func ownerOf(spec *specs.Spec, mode Mode) int {
	if mode != V2 || spec.Linux == nil || !newNamespace(spec.Linux.Namespaces, specs.CgroupNamespace) ||
		!slices.ContainsFunc(spec.Mounts, isWritableCgroup) {
		return -1
	}
	uid := uint32(0)
	if spec.Process != nil {
		uid = spec.Process.User.UID
	}
	for _, m := range spec.Linux.UIDMappings {
		if uid >= m.ContainerID && uid-m.ContainerID < m.Size {
			return int(m.HostID + (uid - m.ContainerID))
		}
	}
	return -1
}

func newNamespace(list []specs.LinuxNamespace, kind specs.LinuxNamespaceType) bool {
	return slices.ContainsFunc(list, func(n specs.LinuxNamespace) bool { return n.Type == kind && n.Path == "" })
}

func isWritableCgroup(m specs.Mount) bool {
	if m.Type != "cgroup" && m.Type != "cgroup2" || path.Clean(m.Destination) != mountRoot {
		return false
	}
	writable := true
	for _, o := range m.Options { // the last one counts
		switch o {
		case "ro", "rro":
			writable = false
		case "rw", "rrw":
			writable = true
		}
	}
	return writable
}

// handOver makes uid the owner of the cgroup and of those files in it that the kernel says may be
// delegated.
func handOver(dir string, uid int) error {
	list, err := readFile("/sys/kernel/cgroup/delegate") // Linux 4.15
	if err != nil {
		list = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads"
	}
	if err := chown(dir, uid); err != nil {
		return err
	}
	for name := range strings.SplitSeq(list, "\n") {
		if name == "" || strings.Contains(name, "/") {
			continue
		}
		// The list names files of controllers that may be off for this cgroup.
		if err := chown(dir+"/"+name, uid); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

func chown(path string, uid int) error {
	if err := unix.Lchown(path, uid, -1); err != nil {
		return &fileError{Op: "chown", Path: path, Err: err}
	}
	return nil
}
