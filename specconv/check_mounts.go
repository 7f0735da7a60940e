package specconv

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// mounts checks what is not a mount option: those are parsed where they are applied.
func (c *checker) mounts() error {
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		pointer := Pointer("mounts", i)
		if m.Destination == "" {
			return Field(pointer+"/destination", errMissing)
		}
		if !filepath.IsAbs(m.Destination) {
			c.warn(pointer+"/destination", fmt.Sprintf("the relative path %q is deprecated, it means %q",
				m.Destination, absolute("/", m.Destination)))
		}
		if err := checkMountStrings(m, pointer); err != nil {
			return err
		}
		// As a path that is relative to the bundle it would be the bundle itself.
		if isBind(m) && m.Source == "" && !slices.Contains(m.Options, "remount") {
			return Fieldf(pointer+"/source", "%w: it is what a bind mount shows", errMissing)
		}
		if err := c.mountMappings(m, pointer); err != nil {
			return err
		}
	}
	return nil
}

func checkMountStrings(m *specs.Mount, pointer string) error {
	for _, s := range [...]struct{ field, value string }{
		{"/destination", m.Destination},
		{"/type", m.Type},
		{"/source", m.Source},
	} {
		if err := noNUL(pointer+s.field, s.value); err != nil {
			return err
		}
	}
	for i, option := range m.Options {
		if err := noNUL(pointer+Pointer("options", i), option); err != nil {
			return err
		}
	}
	return nil
}

// mountMappings: uidMappings "MUST be specified along with gidMappings"; "If there are no
// uidMappings and gidMappings specified and the container isn't using user namespaces, an error
// MUST be returned" for idmap and ridmap (config.md).
func (c *checker) mountMappings(m *specs.Mount, pointer string) error {
	if len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0 {
		return checkMappings(pointer, m.UIDMappings, m.GIDMappings)
	}
	for i, option := range m.Options {
		if (option == "idmap" || option == "ridmap") && !c.has(specs.UserNamespace) {
			return Fieldf(pointer+Pointer("options", i), "%q needs uidMappings and gidMappings or a user namespace", option)
		}
	}
	return nil
}

// protectedPaths: "The values MUST be absolute paths in the container namespace" (config-linux.md).
// Without a mount namespace the runtime's own /proc would be masked.
func (c *checker) protectedPaths() error {
	for _, l := range [...]struct {
		name string
		list []string
	}{
		{"maskedPaths", c.linux.MaskedPaths},
		{"readonlyPaths", c.linux.ReadonlyPaths},
	} {
		if len(l.list) > 0 && !c.has(specs.MountNamespace) {
			return Fieldf(Pointer("linux", l.name), "%s need a mount namespace", l.name)
		}
		for i, path := range l.list {
			if err := absolutePath(Pointer("linux", l.name, i), path); err != nil {
				return err
			}
		}
	}
	return nil
}
