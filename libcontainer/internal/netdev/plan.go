// Package netdev moves network devices of the host into the container's network namespace, as
// linux.netDevices asks (config-linux.md, "Network Devices"). It speaks rtnetlink(7) itself: four
// requests need no library, and the one there is brings the resolver of package net along.
//
// The parent uses it, after init was started and before init goes on.
package netdev

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/specconv"
)

// Device is a device to move.
type Device struct {
	Name   string // in the runtime's network namespace
	Target string // in the container's; with "%d" the kernel puts the lowest free number there
}

// template tells whether the kernel chooses the name.
func (d Device) template() bool { return strings.Contains(d.Target, "%d") }

// pointer is where the device stands in the configuration.
func (d Device) pointer() string { return specconv.Pointer("linux", "netDevices", d.Name) }

// NewPlan lists the devices to move, by name. What the names look like, and that there is a network
// namespace, specconv has checked. An ordinary user is refused: he has no say over the devices of
// the host.
func NewPlan(devices map[string]specs.LinuxNetDevice) ([]Device, error) {
	if len(devices) == 0 {
		return nil, nil
	}
	if uid := os.Geteuid(); uid != 0 {
		return nil, specconv.Fieldf("/linux/netDevices", "network devices are not supported for rootless containers: moving one takes root, this is uid %d", uid)
	}
	var plan []Device
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		d := Device{Name: name, Target: devices[name].Name}
		if d.Target == "" {
			d.Target = name
		}
		plan = append(plan, d)
	}
	return plan, nil
}
