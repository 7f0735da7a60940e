package libcontainer

import (
	"os"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/netdev"
	"oci-run/libcontainer/internal/spawn"
	"oci-run/specconv"
)

// network is what a create makes for the container's network, beside the namespaces.
type network struct {
	made  *namespaces.Network // new, if it isn't the clone that makes it
	moved *netdev.Move        // of linux.netDevices, until they are the container's
}

// moveDevices gives the container the network devices of linux.netDevices. They go back
// if the create fails later on; once it has succeeded they are the container's, whose
// network namespace decides what becomes of them. If create is killed in between, that
// namespace ends with init: the kernel then returns physical devices, and removes virtual
// ones.
func (c *creation) moveDevices() error {
	if len(c.plan.devices) == 0 {
		return nil
	}
	namespace, err := c.plan.openNetwork(c.init.PID)
	if err != nil {
		return specconv.Field("/linux/netDevices", err)
	}
	c.network.moved, err = netdev.Start(c.plan.devices, namespace)
	return err
}

// openNetwork opens the container's network namespace. A new one is init's from the clone
// on; one that is given by path init may not have joined yet.
func (p *plan) openNetwork(init int) (*os.File, error) {
	for _, j := range p.joined {
		if j.Kind.Type == specs.NetworkNamespace {
			return os.Open("/proc/self/fd/" + strconv.Itoa(int(j.File.Fd())))
		}
	}
	return openNamespace(init, "net")
}

// join has init join the network namespace that was made meanwhile. If that failed,
// the clone tries it again and says why.
func (n *network) join(r *spawn.Request) {
	if n.made == nil {
		return
	}
	span := trace.Begin("wait for the network namespace")
	file, err := n.made.File()
	if span.End(err); err == nil {
		r.New &^= unix.CLONE_NEWNET
		r.Join = append(slices.Clone(r.Join), spawn.Join{File: file, Flag: unix.CLONE_NEWNET, Name: string(specs.NetworkNamespace)})
	}
}

// missing tells why a new namespace that a thread was to make isn't there; nil if it is, or if none
// was to be made so.
func (n *network) missing() error {
	if n.made == nil {
		return nil
	}
	_, err := n.made.File()
	return err
}

// loopback waits for lo, and tells whether init is to set it up. What failed it tries again, and
// says why.
func (n *network) loopback(planned bool) bool {
	if n.made == nil {
		return planned
	}
	return !n.made.Loopback()
}

// close leaves the devices to the container, and gives up the namespace.
func (n *network) close() {
	if n.moved != nil {
		n.moved.Keep()
	}
	if n.made != nil {
		n.made.Close()
	}
}

// undo takes the devices back.
func (n *network) undo() error {
	if n.moved == nil {
		return nil
	}
	moved := n.moved
	n.moved = nil
	return moved.Undo()
}
