package systemd

import (
	"fmt"
	"strconv"
	"strings"

	"oci-run/libcontainer/internal/cgroups/systemd/dbus"
)

// Property is a unit property. Its value is of a Go type that has a D-Bus type: a string, bool,
// integer or float64, or a slice of strings, bytes, uint32, uint64 or pairs of strings.
type Property struct {
	Name  string
	Value any
	// At is the place in the configuration that names the property itself. Others follow from
	// limits whose files are written in any case, and are left out where systemd is older than the
	// property.
	At string
}

// needs is the oldest systemd with a property of scopes, or with a value of it.
type needs struct {
	name    string
	version int
}

// baseline is the systemd that has every property that is not listed in younger. Linux 5.14 and
// newer, which the whole program needs, came with 247 (Debian 11's backports); 245 is that of
// Ubuntu 20.04 with a newer kernel.
const baseline = 245

// younger lists the properties that a container's scope can have and the baseline lacks
// (systemd.scope(5), systemd.resource-control(5) and systemd.kill(5), "Added in version"; the
// sources, for scopes). TestRealVersions holds the table against the systemd that runs.
var younger = [...]needs{
	{"ManagedOOMMemoryPressure", 247},
	{"ManagedOOMMemoryPressureDurationUSec", 257},
	{"ManagedOOMMemoryPressureLimit", 248},
	{"ManagedOOMPreference", 248},
	{"ManagedOOMSwap", 247},
	{"MemoryZSwapMax", 253},
	{"MemoryZSwapWriteback", 256},
	{"OOMPolicy", 253},
	{"RuntimeRandomizedExtraUSec", 250},
	{"StartupAllowedCPUs", 252},
	{"StartupAllowedMemoryNodes", 252},
}

// idleWeight is the systemd that takes a CPUWeight of 0 for cpu.idle.
const idleWeight = 252

// least tells which systemd a property needs; 0 is any.
func least(p *Property) int {
	if n, ok := p.Value.(uint64); ok && p.Name == "CPUWeight" && n == 0 {
		return idleWeight
	}
	for _, y := range younger {
		if y.name == p.Name {
			return y.version
		}
	}
	return 0
}

// known leaves out what this systemd doesn't know, without which a unit is as good, since the
// kernel's files are written in any case. That systemd refuses the whole of what it is told
// otherwise. What was asked for by name is an *OldError instead.
func (c *Conn) known(properties []Property) ([]Property, error) {
	out := make([]Property, 0, len(properties))
	for i := range properties {
		p := &properties[i]
		if need := least(p); need > baseline {
			has, err := c.askVersion()
			if err != nil {
				return nil, err
			}
			if has < need && p.At != "" {
				return nil, &OldError{Property: p.Name, At: p.At, Needs: need, Has: has}
			}
			if has < need {
				continue
			}
		}
		out = append(out, *p)
	}
	return out, nil
}

// OldError is for a property that the configuration names and the running systemd doesn't know.
type OldError struct {
	Property, At string
	Needs, Has   int
}

func (e *OldError) Error() string {
	return fmt.Sprintf("systemd property %q requires systemd %d; the running one is %d", e.Property, e.Needs, e.Has)
}

// askVersion asks for systemd's version, once.
func (c *Conn) askVersion() (int, error) {
	if c.version > 0 {
		return c.version, nil
	}
	text, err := c.ManagerString("Version")
	if err != nil {
		return 0, err
	}
	if c.version, err = parseVersion(text); err != nil {
		return 0, fmt.Errorf("systemd property Version: %w", err)
	}
	return c.version, nil
}

// parseVersion reads the number that a version begins with: 252.39-1~deb12u1, v256-rc3,
// 247-13.fc34.
func parseVersion(text string) (int, error) {
	digits := strings.TrimPrefix(text, "v")
	if end := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q does not begin with a number", text)
	}
	return n, nil
}

// propertyList is properties as an argument of type a(sv).
type propertyList []Property

func (l propertyList) signature() string { return "a(sv)" }

func (l propertyList) encode(e *dbus.Encoder) {
	e.Array(8, func() {
		for i := range l {
			e.Align(8)
			e.String(l[i].Name)
			e.Variant(l[i].Value)
		}
	})
}

// noUnits is an empty list of auxiliary units, an argument of type a(sa(sv)).
type noUnits struct{}

func (noUnits) signature() string { return "a(sa(sv))" }

func (noUnits) encode(e *dbus.Encoder) { e.Array(8, func() {}) }
