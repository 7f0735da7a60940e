// Package dbus stands in for go-systemd's package of the same name, of which opencontainers/cgroups names one type in a
// struct, for a systemd manager that isn't used here. The real one would link godbus, net, os/user and crypto into the
// binary: 0.9 MB, and 0.1 ms for every start of a process. oci-run's own D-Bus client is in libcontainer/cgroups/systemd.
package dbus

// Property is a unit property.
type Property struct {
	Name  string
	Value any
}
