package specconv

import (
	"errors"
	"maps"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// namespace gives the entry of a type, if there is one.
func (c *checker) namespace(kind specs.LinuxNamespaceType) (ns specs.LinuxNamespace, found bool) {
	for _, ns := range c.linux.Namespaces {
		if ns.Type == kind {
			return ns, true
		}
	}
	return specs.LinuxNamespace{}, false
}

// has tells whether the container is in a namespace of its own, or in one given by path: not in the
// runtime's.
func (c *checker) has(kind specs.LinuxNamespaceType) bool {
	_, found := c.namespace(kind)
	return found
}

// namespaces: "path … MUST be an absolute path"; "If a namespaces field contains duplicated
// namespaces with same type, the runtime MUST generate an error" (config-linux.md). Which types
// there are is known to the package namespaces.
func (c *checker) namespaces() error {
	list := c.linux.Namespaces
	for i, ns := range list {
		pointer := Pointer("linux", "namespaces", i)
		if ns.Type == "" {
			return Field(pointer+"/type", errMissing)
		}
		for _, other := range list[:i] {
			if other.Type == ns.Type {
				return Fieldf(pointer+"/type", "namespace type %q appears twice", ns.Type)
			}
		}
		if ns.Path != "" {
			if err := absolutePath(pointer+"/path", ns.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// idMappings: a new user namespace is useless without both lists, and both are useless without a
// user namespace. Beside a namespace to join they are accepted, for engines send both; whether they
// agree is checked when it is opened.
func (c *checker) idMappings() error {
	uids, gids := c.linux.UIDMappings, c.linux.GIDMappings
	ns, found := c.namespace(specs.UserNamespace)
	switch {
	case !found && len(uids) > 0:
		return Field("/linux/uidMappings", errNeedUserNS)
	case !found && len(gids) > 0:
		return Field("/linux/gidMappings", errNeedUserNS)
	case !found || ns.Path != "" && len(uids) == 0 && len(gids) == 0:
		return nil
	}
	return checkMappings("/linux", uids, gids)
}

var errNeedUserNS = errors.New("mappings need a user namespace")

// maxExtents is UID_GID_MAP_MAX_EXTENTS, user_namespaces(7).
const maxExtents = 340

// checkMappings wants both lists, each as the kernel accepts it in uid_map (user_namespaces(7)).
func checkMappings(at string, uids, gids []specs.LinuxIDMapping) error {
	for _, l := range [...]struct {
		name string
		list []specs.LinuxIDMapping
	}{
		{"uidMappings", uids},
		{"gidMappings", gids},
	} {
		pointer := at + "/" + l.name
		if len(l.list) == 0 {
			return Fieldf(pointer, "is missing or empty: uidMappings and gidMappings belong together")
		}
		if len(l.list) > maxExtents {
			return Fieldf(pointer, "%d entries are more than the %d that the kernel takes", len(l.list), maxExtents)
		}
		for i, m := range l.list {
			if err := checkMapping(m, l.list[:i]); err != nil {
				return Field(pointer+Pointer(i), err)
			}
		}
	}
	return nil
}

func checkMapping(m specs.LinuxIDMapping, before []specs.LinuxIDMapping) error {
	if m.Size == 0 {
		return errors.New("the size is 0")
	}
	// The highest 32 bit number is not an id: it stands for "none".
	if m.ContainerID+m.Size < m.Size || m.HostID+m.Size < m.Size {
		return errors.New("the ids go beyond 4294967294")
	}
	for _, o := range before {
		if overlap(m.ContainerID, m.Size, o.ContainerID, o.Size) || overlap(m.HostID, m.Size, o.HostID, o.Size) {
			return errors.New("the ids overlap with an earlier entry's")
		}
	}
	return nil
}

func overlap(a, sizeA, b, sizeB uint32) bool { return a < b+sizeB && b < a+sizeA }

// userIsMapped finds what would end as "invalid argument" from setuid(2), when the ids that there
// will be are known.
func (c *checker) userIsMapped() error {
	if ns, found := c.namespace(specs.UserNamespace); !found || ns.Path != "" || c.spec.Process == nil {
		return nil
	}
	return c.checkUser()
}

// CheckUser is the check of process.user for a user namespace given by path, for a caller who has
// put its mappings into spec.
func CheckUser(spec *specs.Spec) error {
	return (&checker{spec: spec, linux: spec.Linux}).checkUser()
}

func (c *checker) checkUser() error {
	user := c.spec.Process.User
	if !isMapped(user.UID, c.linux.UIDMappings) {
		return Fieldf("/process/user/uid", "uid %d is not in /linux/uidMappings", user.UID)
	}
	if !isMapped(user.GID, c.linux.GIDMappings) {
		return Fieldf("/process/user/gid", "gid %d is not in /linux/gidMappings", user.GID)
	}
	for i, gid := range user.AdditionalGids {
		if !isMapped(gid, c.linux.GIDMappings) {
			return Fieldf(Pointer("process", "user", "additionalGids", i), "gid %d is not in /linux/gidMappings", gid)
		}
	}
	return nil
}

func isMapped(id uint32, list []specs.LinuxIDMapping) bool {
	return slices.ContainsFunc(list, func(m specs.LinuxIDMapping) bool {
		return overlap(id, 1, m.ContainerID, m.Size)
	})
}

// timeOffsets: the clocks are time_namespaces(7)'s; their offsets can only be set before anything
// runs there.
func (c *checker) timeOffsets() error {
	if len(c.linux.TimeOffsets) == 0 {
		return nil
	}
	const pointer = "/linux/timeOffsets"
	ns, found := c.namespace(specs.TimeNamespace)
	if !found {
		return Fieldf(pointer, "offsets need a time namespace")
	}
	if ns.Path != "" {
		return Fieldf(pointer, "the time namespace %q exists already, its offsets can't be changed", ns.Path)
	}
	for _, clock := range slices.Sorted(maps.Keys(c.linux.TimeOffsets)) {
		if clock != "monotonic" && clock != "boottime" {
			return Fieldf(pointer+Pointer(clock), "clock %q has no offset, must be monotonic or boottime", clock)
		}
		if n := c.linux.TimeOffsets[clock].Nanosecs; n >= 1e9 {
			return Fieldf(pointer+Pointer(clock, "nanosecs"), "%d is more than 999999999", n)
		}
	}
	return nil
}
