package cgroups

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Birth is how a new process gets into the container's cgroups before it does anything else.
// Writing its pid to cgroup.procs from outside, as Join does, takes the kernel's
// cgroup_threadgroup_rwsem for writing and with it a grace period of RCU, 5 to 15 ms. These two
// ways take neither.
type Birth struct {
	// Unified is the cgroup v2 directory for clone3(CLONE_INTO_CGROUP), Linux 5.7; nil if there is
	// no unified hierarchy.
	Unified *os.File
	// Tasks are the files named tasks of the v1 hierarchies. The process writes "0" to each while
	// it has one thread: moving the caller's own thread needs no lock (cgroup_procs_write_start in
	// the kernel).
	Tasks []*os.File
}

// Close closes the files.
func (b *Birth) Close() {
	if b.Unified != nil {
		b.Unified.Close()
	}
	for _, f := range b.Tasks {
		f.Close()
	}
}

// Birth opens what a process needs to be born into the container's cgroups, after Create. If it
// returns any file, Join has nothing left to do. With a tight memory limit, v2 has none and v1 none
// for memory, see [Creation.tight]. With the systemd driver, and where a file can't be opened, it
// returns none, and Join does it, or says what is wrong. The caller closes it.
func (c *Creation) Birth() *Birth {
	b := &Birth{}
	if c.record.Driver != DriverCgroupfs || c.record.Mode == V2 && c.tight() {
		return b
	}
	for i := range c.record.Hierarchies {
		h := &c.record.Hierarchies[i]
		if c.joinsLate(h) {
			continue
		}
		name, flags := h.Dir(), unix.O_RDONLY|unix.O_DIRECTORY
		if !h.unified() {
			name, flags = name+"/tasks", unix.O_WRONLY
		} else if !slices.Contains(c.made, name) {
			// Since 6.13, cgroup.kill counts how often a cgroup was killed, and Linux kills who is
			// born into one that was killed more often than the caller's own (cgroup_post_fork):
			// after another container has ended there.
			b.Close()
			return &Birth{}
		}
		fd, err := openFile(unix.AT_FDCWD, name, flags)
		if err != nil {
			b.Close()
			return &Birth{}
		}
		if f := os.NewFile(uintptr(fd), name); h.unified() {
			b.Unified = f
		} else {
			b.Tasks = append(b.Tasks, f)
		}
	}
	c.born = len(c.record.Hierarchies) > 0
	return b
}

// Born tells whether [Creation.Birth] has given the process all that it needs to be in its cgroups
// from its beginning on.
func (c *Creation) Born() bool { return c.born }
