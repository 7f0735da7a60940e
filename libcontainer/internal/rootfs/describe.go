package rootfs

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// MountLine is a mount as it will be, for people.
type MountLine struct {
	Destination string `json:"destination"`
	Type        string `json:"type"` // "bind" or "rbind" for a bind mount
	// Source is that of a bind mount, and Resolved what it leads to over symbolic links.
	Source   string `json:"source,omitempty"`
	Resolved string `json:"resolved,omitempty"`
	// Flags are the options that are flags of the mount, of all below it (r…), of the filesystem,
	// and the propagation.
	Flags []string `json:"flags"`
	// Parameters are the filesystem's own options.
	Parameters []string `json:"parameters,omitempty"`
	// Also is what is done beside mounting.
	Also []string `json:"also,omitempty"`
}

// DeviceLine is a device node, for people.
type DeviceLine struct {
	Path   string `json:"path"`
	Type   string `json:"type"`   // b, c or p
	Number string `json:"number"` // MAJOR:MINOR
	Mode   string `json:"mode"`   // octal
	UID    int    `json:"uid"`    // in the container
	GID    int    `json:"gid"`
}

// DescribeMounts lists the mounts in order. It resolves the sources of bind mounts.
func (p *Plan) DescribeMounts() []MountLine {
	lines := make([]MountLine, 0, len(p.Mounts))
	for i := range p.Mounts {
		lines = append(lines, p.Mounts[i].describe())
	}
	return lines
}

func (m *Mount) describe() MountLine {
	line := MountLine{Destination: m.Destination, Type: m.Type, Flags: optionNames(m)}
	if m.Kind == Bind {
		line.Source = m.Source
		if m.Recursive {
			line.Type = "rbind"
		}
		if real := resolved(m.Source); real != m.Source {
			line.Resolved = real
		}
	}
	for _, param := range m.Params {
		line.Parameters = append(line.Parameters, param.String())
	}
	also := func(when bool, text string) {
		if when {
			line.Also = append(line.Also, text)
		}
	}
	also(m.Remount, "changes what is mounted there")
	also(m.CopyUp, "gets a copy of what it hides")
	also(m.IDMap != nil, "maps ids")
	also(m.Links != 0, m.Links.String())
	also(m.readonlyLate(), "is made read-only once everything is in it")
	return line
}

// optionNames lists the names of options that mean what a mount has.
func optionNames(m *Mount) []string {
	names := []string{}
	for _, o := range options {
		var has Flags
		switch o.kind {
		case attribute:
			has = m.Attr
		case recursive:
			has = m.Rec
		case superblock:
			has = m.Super
		default:
			continue
		}
		if set := has.Set; o.flag != 0 && (!o.clear && set&o.flag == o.flag || o.clear && has.Clear&o.flag == o.flag) {
			names = append(names, o.name)
		}
	}
	for _, flag := range m.Propagation {
		names = append(names, propagationName(flag))
	}
	return names
}

// propagationName is the option for a propagation, "" for none.
func propagationName(flag uint32) string {
	for _, o := range options {
		if o.kind == propagation && o.flag == flag {
			return o.name
		}
	}
	return ""
}

// RootPropagation is that of the root's mount, "" if the configuration names none.
func (p *Plan) RootPropagation() string { return propagationName(p.Propagation) }

// resolved follows the symbolic links of a path of the host's; what can't be followed stays.
func resolved(path string) string {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return path
	}
	defer unix.Close(fd)
	real, err := pathOf(fd)
	if err != nil {
		return path
	}
	return real
}

// pathOf is the path of what a descriptor is open at, as seen from the root of this process.
func pathOf(fd int) (string, error) { return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)) }

// DescribeDevices lists the nodes that are made in /dev, unless that is a bind mount.
func (p *Plan) DescribeDevices() []DeviceLine {
	lines := []DeviceLine{}
	if !p.SetupDev {
		return lines
	}
	for i := range p.Devices {
		d := &p.Devices[i]
		kind := map[uint32]string{unix.S_IFBLK: "b", unix.S_IFCHR: "c", unix.S_IFIFO: "p"}[d.Mode&unix.S_IFMT]
		lines = append(lines, DeviceLine{
			Path: d.Path, Type: kind, Number: fmt.Sprintf("%d:%d", d.Major, d.Minor), Mode: fmt.Sprintf("%04o", d.Mode&0o7777), UID: d.UID, GID: d.GID,
		})
	}
	return lines
}
