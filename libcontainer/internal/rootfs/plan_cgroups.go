package rootfs

// Hierarchy is one tree of cgroups of the host, for a mount of type cgroup. A host with nothing but
// cgroup v2 has one, version 1 several, a hybrid host several and one of version 2.
type Hierarchy struct {
	V2 bool
	// Name is the name of the directory that shows the hierarchy: "cpu,cpuacct", "systemd",
	// "unified". It doesn't matter if there is but one hierarchy and that is version 2.
	Name string
	// Options are the mount options that select a version 1 hierarchy: its controllers, or
	// "name=systemd".
	Options []string
	// Mount is where it is mounted on the host: "/sys/fs/cgroup/cpu,cpuacct".
	Mount string
	// Path is the container's own cgroup there: "/sys/fs/cgroup/cpu,cpuacct/a/b". Empty if it has
	// none.
	Path string
}
