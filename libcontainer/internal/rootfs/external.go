package rootfs

import (
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/specconv"
)

// External is a mount whose source isn't the container's own. When a container is dumped to files,
// such a mount is written down by its name, and mounted again from its source when it is restored.
type External struct {
	Name   string // its place in the container, as the configuration has it
	Source string // on the host
}

// nullDevice is what files are masked with.
const nullDevice = "/dev/null"

// Externals lists them: bind mounts, the copies of the host's cgroups, devices that may have been
// bound from the host, and what files are masked with.
func (p *Plan) Externals() []External {
	var list []External
	for i := range p.Mounts {
		m := &p.Mounts[i]
		switch {
		case m.Remount:
		case m.Kind == Bind:
			list = append(list, External{m.Destination, m.Source})
		case p.copiesCgroups(m):
			for j := range p.Cgroups {
				h := &p.Cgroups[j]
				list = append(list, External{path.Join(m.Destination, path.Base(h.Name)), orElse(h.Path, h.Mount)})
			}
		}
	}
	for i := range p.Devices {
		list = append(list, External{p.Devices[i].Path, p.Devices[i].Path})
	}
	return list
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// Restorable refuses what can't be restored from a dump.
func (p *Plan) Restorable() error {
	if !p.MountNS {
		return specconv.Fieldf("/linux/namespaces", "a container can't be restored without a mount namespace of its own")
	}
	for i := range p.Mounts {
		m := &p.Mounts[i]
		if m.IDMap != nil {
			return specconv.Fieldf(m.pointer(), "a mount with its ids mapped can't be restored")
		}
		if m.Links != 0 {
			return specconv.Fieldf(m.pointer(), "a mount with the option %s can't be restored", m.Links)
		}
	}
	return nil
}

// View is the root of a container that runs.
type View struct{ root int }

// OpenView opens the root of the container whose process is pid.
func OpenView(pid int) (*View, error) {
	name := "/proc/" + strconv.Itoa(pid) + "/root"
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return &View{fd}, nil
}

// Close closes it.
func (v *View) Close() { unix.Close(v.root) }

// Place tells where in the container a path leads through symbolic links, and if that is a
// directory. found is false if it leads nowhere.
func (v *View) Place(unsafePath string) (resolved string, dir, found bool) {
	fd, err := linux.Openat2(v.root, unsafePath, unix.O_PATH, 0, inRoot)
	if err != nil {
		return "", false, false
	}
	defer unix.Close(fd)
	at, err := placeOf(fd)
	if err != nil {
		return "", false, false
	}
	// The kernel gives the path in the mount namespace of the file, whose root is the container's.
	resolved, err = pathOf(fd)
	return resolved, at.isDir(), err == nil
}

// Masks lists the files that are masked in the container. (Directories are masked with filesystems
// of its own.)
func (p *Plan) Masks(v *View) (masked []string) {
	for _, unsafePath := range p.MaskedPaths {
		if resolved, dir, found := v.Place(unsafePath); found && !dir {
			masked = append(masked, resolved)
		}
	}
	return masked
}

// NullDevice names what masked files show.
func NullDevice() External { return External{nullDevice, nullDevice} }
