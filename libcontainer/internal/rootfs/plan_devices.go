package rootfs

import (
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// Device is a node in the container's root.
type Device struct {
	Pointer      string // where it stands in the configuration, "" for a default one
	Path         string // absolute and clean
	Mode         uint32 // with the type, as in mknod(2)
	Major, Minor uint32
	UID, GID     int // in the container
}

// defaultDevices are what "the runtime MUST also supply" (config-linux.md). /dev/console and
// /dev/ptmx are made of the container's own pseudo-terminals.
var defaultDevices = [...]struct {
	path         string
	major, minor uint32
}{
	{"/dev/null", 1, 3},
	{"/dev/zero", 1, 5},
	{"/dev/full", 1, 7},
	{"/dev/random", 1, 8},
	{"/dev/urandom", 1, 9},
	{"/dev/tty", 5, 0},
}

const (
	ptmxPath     = "/dev/ptmx"
	anybodysMode = 0o666
	maxMinor     = 1<<20 - 1 // of the kernel's dev_t: 12 bits of major, 20 of minor
	maxMajor     = 1<<12 - 1
)

// deviceTypes are the types of linux.devices and their bits for mknod(2).
var deviceTypes = [...]struct {
	name string
	bits uint32
}{
	{"b", unix.S_IFBLK},
	{"c", unix.S_IFCHR},
	{"p", unix.S_IFIFO},
	{"u", unix.S_IFCHR},
}

func (p *Plan) planDevices(list []specs.LinuxDevice) error {
	p.Devices = make([]Device, 0, len(defaultDevices)+len(list))
	for _, d := range defaultDevices {
		given := slices.ContainsFunc(list, func(s specs.LinuxDevice) bool { return path.Clean(s.Path) == d.path })
		if !given {
			p.Devices = append(p.Devices, Device{Path: d.path, Mode: unix.S_IFCHR | anybodysMode, Major: d.major, Minor: d.minor})
		}
	}
	for i := range list {
		d, err := planDevice(&list[i], specconv.Pointer("linux", "devices", i))
		if err != nil {
			return err
		}
		if d.Path != ptmxPath {
			p.Devices = append(p.Devices, d)
		}
	}
	return nil
}

func planDevice(s *specs.LinuxDevice, pointer string) (Device, error) {
	d := Device{Pointer: pointer, Path: path.Clean(s.Path), Mode: anybodysMode}
	if !path.IsAbs(s.Path) || d.Path == "/" || strings.IndexByte(s.Path, 0) >= 0 {
		return d, specconv.Fieldf(pointer+"/path", "%q is not an absolute path of a device", s.Path)
	}
	if s.FileMode != nil {
		d.Mode = uint32(*s.FileMode) & 0o7777
	}
	if s.UID != nil {
		d.UID = int(*s.UID)
	}
	if s.GID != nil {
		d.GID = int(*s.GID)
	}
	for _, t := range deviceTypes {
		if t.name == s.Type {
			d.Mode |= t.bits
		}
	}
	switch {
	case d.Mode&unix.S_IFMT == 0:
		return d, specconv.Fieldf(pointer+"/type", "%q is not a type of device: b, c, p or u", s.Type)
	case d.Mode&unix.S_IFMT == unix.S_IFIFO:
		return d, nil
	case s.Major < 0 || s.Major > maxMajor:
		return d, specconv.Fieldf(pointer+"/major", "%d is not a major number", s.Major)
	case s.Minor < 0 || s.Minor > maxMinor:
		return d, specconv.Fieldf(pointer+"/minor", "%d is not a minor number", s.Minor)
	}
	d.Major, d.Minor = uint32(s.Major), uint32(s.Minor)
	return d, nil
}
