package libcontainer

import (
	"os"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/netdev"
	"oci-run/libcontainer/internal/spawn"
	"oci-run/specconv"
)

// moveDevices gives the container the network devices of linux.netDevices. They go back
// if the create fails later on; once it has succeeded they are the container's, whose
// network namespace decides what becomes of them. If create is killed in between, that
// namespace ends with init: the kernel then returns physical devices, and removes virtual
// ones.
func (c *creation) moveDevices() error {
	if len(c.plan.devices) == 0 {
		return nil
	}
	namespace, err := c.openNetwork()
	if err != nil {
		return specconv.Field("/linux/netDevices", err)
	}
	c.devices, err = netdev.Start(c.plan.devices, namespace)
	return err
}

// joinNetwork has init join the network namespace that was made meanwhile. If that failed,
// the clone tries it again and says why.
func (c *creation) joinNetwork(r *spawn.Request) {
	if c.network == nil {
		return
	}
	span := trace.Begin("wait for the network namespace")
	file, err := c.network.File()
	if span.End(err); err == nil {
		r.New &^= unix.CLONE_NEWNET
		r.Join = append(slices.Clone(r.Join), spawn.Join{File: file, Flag: unix.CLONE_NEWNET, Name: string(specs.NetworkNamespace)})
	}
}

// openNetwork opens the container's network namespace. A new one is init's from the clone
// on; one that is given by path init may not have joined yet.
func (c *creation) openNetwork() (*os.File, error) {
	for _, j := range c.plan.joined {
		if j.Kind.Type == specs.NetworkNamespace {
			return os.Open("/proc/self/fd/" + strconv.Itoa(int(j.File.Fd())))
		}
	}
	return c.namespace("net")
}

// keepDevices ends what moveDevices began.
func (c *creation) keepDevices() {
	if c.devices != nil {
		c.devices.Keep()
	}
}

// returnDevices undoes what moveDevices did.
func (c *creation) returnDevices() error {
	if c.devices == nil {
		return nil
	}
	move := c.devices
	c.devices = nil
	return move.Undo()
}
