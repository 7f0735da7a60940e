package libcontainer

import (
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/netdev"
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
	namespace, err := c.network()
	if err != nil {
		return specconv.Field("/linux/netDevices", err)
	}
	c.devices, err = netdev.Start(c.plan.devices, namespace)
	return err
}

// network opens the container's network namespace. A new one is init's from the clone on;
// one that is given by path init may not have joined yet.
func (c *creation) network() (*os.File, error) {
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
