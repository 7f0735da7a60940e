package cgroups

import "golang.org/x/sys/unix"

// mountRoot is where cgroup hierarchies are mounted on every host that is supported without a look
// at the mount table.
const mountRoot = "/sys/fs/cgroup"

// Mode is the layout of the host's cgroup hierarchies.
type Mode string

// The modes.
const (
	V1     Mode = "v1"     // one hierarchy per controller
	Hybrid Mode = "hybrid" // as V1, and a unified hierarchy beside them at /sys/fs/cgroup/unified
	V2     Mode = "v2"     // the unified hierarchy only
)

// CurrentMode looks at the file systems mounted at /sys/fs/cgroup and below (two statfs(2)). A host
// without any has V1, with nothing in it.
func CurrentMode() Mode {
	switch {
	case isType(mountRoot, unix.CGROUP2_SUPER_MAGIC):
		return V2
	case isType(mountRoot+"/unified", unix.CGROUP2_SUPER_MAGIC):
		return Hybrid
	}
	return V1
}

func isType(path string, magic int64) bool {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(path, &st)
		if err != unix.EINTR {
			return err == nil && int64(st.Type) == magic
		}
	}
}
