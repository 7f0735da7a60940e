package rootfs

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// Foresee tells which mount this host can't make: a bind mount whose source isn't there, or can't
// be reached by the caller, or a filesystem that the running kernel doesn't have. It is nil if none
// is. What only the container's own mounts bring is not looked for. Errors are a
// *specconv.FieldError.
func (p *Plan) Foresee() error {
	for i := range p.Mounts {
		m := &p.Mounts[i]
		var err error
		switch {
		case m.Remount:
		case m.Kind == Bind:
			err = p.foreseeSource(m)
		case m.Kind == Filesystem:
			err = foreseeFilesystem(m)
		}
		if err == nil {
			err = m.foreseeOptions()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// foreseeSource looks for the source of a bind mount. Init looks for it among its own mounts, so
// one below a mount of the container's, such as below the root, may come to be.
func (p *Plan) foreseeSource(m *Mount) error {
	var st unix.Stat_t
	err := unix.Stat(m.Source, &st)
	if err == nil || strings.HasPrefix(m.Source, p.Root+"/") {
		return nil
	}
	return specconv.Field(m.pointer()+"/source", fmt.Errorf("bind source %q: %w%s", m.Source, err, blameHost(m.Source, err)))
}

// shortestOption is the least length of a name for which another one can be called near:
// filesystems have short ones of their own.
const shortestOption = 4

// foreseeOptions finds an option that is none by its name, and so goes to the filesystem, but is
// near one: "nosuidd" would be refused there, if the filesystem is not one that takes anything.
func (m *Mount) foreseeOptions() error {
	for _, param := range m.Params {
		if param.HasValue || len(param.Key) < shortestOption || param.Option < 0 {
			continue
		}
		if hint := spelling.Hint(param.Key, MountOptionNames()); hint != "" {
			return specconv.Fieldf(m.pointer()+specconv.Pointer("options", param.Option), "there is no mount option %q%s", param.Key, hint)
		}
	}
	return nil
}

// foreseeFilesystem looks for a type of filesystems among those that the kernel has, and those that
// it could load as a module. "fuse.sshfs" is fuse with a name.
func foreseeFilesystem(m *Mount) error {
	name, _, _ := strings.Cut(m.Type, ".")
	have, err := filesystems()
	if err != nil || slices.Contains(have, name) || hasModule("fs-"+name) {
		return nil // what can't be looked at is no finding
	}
	for _, k := range kinds { // those that are more than a type
		have = append(have, k.name)
	}
	return specconv.Fieldf(m.pointer()+"/type", "the kernel has no filesystem %q%s", m.Type, spelling.Hint(name, have))
}

// filesystems lists the types in /proc/filesystems (proc_filesystems(5)).
func filesystems() (names []string, err error) {
	text, err := os.ReadFile("/proc/filesystems")
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 0 {
			names = append(names, fields[len(fields)-1])
		}
	}
	return names, err
}

// hasModule tells whether depmod(8) knows a module of the running kernel by an alias.
func hasModule(alias string) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	aliases, err := files.Read("/lib/modules/" + unix.ByteSliceToString(u.Release[:]) + "/modules.alias")
	return err == nil && strings.Contains("\n"+string(aliases), "\nalias "+alias+" ")
}
