package namespaces

import (
	"os"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/thread"
	"oci-run/internal/trace"
)

// Network is a new network namespace that no process is in.
type Network struct {
	made  chan struct{}
	file  *os.File
	err   error
	tried chan struct{} // closed when lo is up, or can't be
	lo    error
}

// NewNetwork begins to make a network namespace, owned by the caller's user namespace, with a
// thread that stays in it. The kernel takes as long for it as for all other kinds and the process
// together, so it is made beside what else the caller does. It ends with the last fd, thread and
// process that refer to it.
func NewNetwork(by *thread.Spare) *Network {
	n := &Network{made: make(chan struct{}), tried: make(chan struct{})}
	by.Go(n.make)
	return n
}

func (n *Network) make() {
	defer close(n.tried)
	n.err = trace.Do("make the network namespace", n.unshare)
	close(n.made)
	if n.err == nil {
		n.lo = trace.Do("set lo up", LoopbackUp)
	}
}

// unshare makes the namespace, and opens it.
func (n *Network) unshare() (err error) {
	if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	n.file, err = files.Open("/proc/thread-self/ns/net", unix.O_RDONLY, 0)
	return err
}

// File waits until the namespace is made. The file belongs to n.
func (n *Network) File() (*os.File, error) {
	<-n.made
	return n.file, n.err
}

// Loopback waits until lo is up in it, and tells whether it is.
func (n *Network) Loopback() bool {
	<-n.tried
	return n.err == nil && n.lo == nil
}

// Close gives up the reference to the namespace.
func (n *Network) Close() {
	if file, err := n.File(); err == nil {
		file.Close()
	}
}
