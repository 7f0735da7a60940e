package initproc

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/rootfs"
)

// Builder makes the root of a container whose process is a [List]: init's buildSteps, on a thread
// of the command's that is in the container's namespaces but those of pids and cgroups. Its methods
// are called on that thread, in the order in which they stand here; no process of the container but
// the one that waits exists meanwhile. The thread can be reached by none: it is in another pid
// namespace.
type Builder struct{ c container }

// NewBuilder returns a builder for a plan. socket is the console socket, or nil.
func NewBuilder(p *Plan, up parent, socket *os.File) *Builder {
	return &Builder{container{plan: *p, parent: up, socket: socket, elsewhere: true}}
}

// Open cuts the mounts off from the host's, and makes the root one of them.
func (b *Builder) Open() (err error) {
	b.c.plan.Root.Prepared = nil
	b.c.root, err = rootfs.Open(&b.c.plan.Root, b.c.parent.MountFD)
	return err
}

// Supply takes what the process has made for the mounts with these indexes, which is the builder's
// then. pid is the process's, in its own pid namespace.
func (b *Builder) Supply(pid int, mounts []int, files []*os.File) {
	b.c.root.Supply(pid, mounts, files)
}

// EnterCgroups joins the process's cgroup namespace, from which mounts of cgroups are seen.
func (b *Builder) EnterCgroups(namespace *os.File) error {
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("join the container's cgroup namespace: %w", err)
	}
	return nil
}

// Build makes all that is left.
func (b *Builder) Build() error {
	for i := range buildSteps {
		if err := b.c.step(&buildSteps[i]); err != nil {
			return err
		}
	}
	return nil
}

// Root is the container's root directory once it is built. It is the builder's.
func (b *Builder) Root() *os.File { return b.c.rootDir }

// Stdio is what the process's stdio is to be.
func (b *Builder) Stdio() *console.Stdio { return &b.c.stdio }

// Close gives up what the builder has open, on any thread.
func (b *Builder) Close() {
	b.c.stdio.Close()
	if b.c.proc != nil {
		b.c.proc.Close()
	}
	if b.c.rootDir != nil {
		b.c.rootDir.Close()
	}
}

// Abort closes, on the builder's thread, the root that an error has left half built.
func (b *Builder) Abort() {
	if b.c.root != nil {
		b.c.root.Close()
	}
}
