package specconv

import (
	"errors"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checker is one run of Check.
type checker struct {
	spec     *specs.Spec
	linux    *specs.Linux // never nil
	warnings []*FieldError
}

// checks are the rules that span subjects, in the order in which the first one that is broken is
// the error of checkSpec.
var checks = [...]func(*checker) error{
	(*checker).version,
	(*checker).platform,
	(*checker).root,
	(*checker).process,
	(*checker).namespaces,
	(*checker).idMappings,
	(*checker).userIsMapped,
	(*checker).timeOffsets,
	(*checker).hostNames,
	(*checker).mounts,
	(*checker).protectedPaths,
	(*checker).cgroupsPath,
	(*checker).netDevices,
	(*checker).personality,
	(*checker).intelRdt,
	(*checker).hooks,
	(*checker).annotations,
}

// newChecker begins to look at a configuration.
func newChecker(spec *specs.Spec) *checker {
	c := &checker{spec: spec, linux: spec.Linux}
	if c.linux == nil {
		c.linux = &specs.Linux{}
	}
	return c
}

// checkSpec tells whether a configuration is consistent, with the first field that is not (a
// *FieldError), and what the user should be warned of. It looks at nothing but spec and does not
// change it.
func checkSpec(spec *specs.Spec) (warnings []*FieldError, err error) {
	c := newChecker(spec)
	for _, check := range checks {
		if err := check(c); err != nil {
			return c.warnings, err
		}
	}
	return c.warnings, nil
}

func (c *checker) warn(pointer, text string) {
	c.warnings = append(c.warnings, &FieldError{Pointer: pointer, Err: errors.New(text)})
}

// version accepts any 1.x: the specification is compatible within a major version, and a runtime
// that insists on a minor one breaks with each new engine.
func (c *checker) version() error {
	const pointer = "/ociVersion"
	v := c.spec.Version
	if v == "" {
		return Field(pointer, errMissing)
	}
	major, rest, _ := strings.Cut(v, ".")
	if major == "" || strings.Trim(major, "0123456789") != "" || rest == "" || rest[0] < '0' || rest[0] > '9' {
		return Fieldf(pointer, "%q is not a version", v)
	}
	if major != "1" {
		return Fieldf(pointer, "version %q is not supported, must be 1.x", v)
	}
	return nil
}

// platform refuses a configuration for something else than a Linux container. Beside a linux
// section another platform's section is ignored: it "MAY be set if the target platform of this
// spec" is that one (config.md).
func (c *checker) platform() error {
	s := c.spec
	if s.VM != nil {
		return Fieldf("/vm", "containers in virtual machines are not supported")
	}
	for _, p := range [...]struct {
		name string
		set  bool
	}{
		{"windows", s.Windows != nil},
		{"solaris", s.Solaris != nil},
		{"zos", s.ZOS != nil},
		{"freebsd", s.FreeBSD != nil},
	} {
		if !p.set {
			continue
		}
		if s.Linux == nil {
			return Fieldf("/"+p.name, "the configuration is for another platform, it has no linux section")
		}
		c.warn("/"+p.name, "ignored, this is a Linux container")
	}
	return nil
}

// root checks the declaration; Load looks at the directory.
func (c *checker) root() error {
	const pointer = "/root/path"
	if c.spec.Root == nil {
		return Field("/root", errMissing)
	}
	if c.spec.Root.Path == "" {
		return Field(pointer, errMissing)
	}
	return noNUL(pointer, c.spec.Root.Path)
}

// maxHostName is __NEW_UTS_LEN: what sethostname(2) and setdomainname(2) accept.
const maxHostName = 64

// hostNames guards the runtime's own names.
func (c *checker) hostNames() error {
	for _, n := range [...]struct{ field, value string }{
		{"hostname", c.spec.Hostname},
		{"domainname", c.spec.Domainname},
	} {
		pointer := "/" + n.field
		switch {
		case n.value == "":
			continue
		case !c.has(specs.UTSNamespace):
			return Fieldf(pointer, "setting the %s needs a uts namespace", n.field)
		case len(n.value) > maxHostName:
			return Fieldf(pointer, "%q is longer than %d bytes", n.value, maxHostName)
		}
		if err := noNUL(pointer, n.value); err != nil {
			return err
		}
	}
	return nil
}

// annotations: "Keys MUST NOT be an empty string" (config.md).
func (c *checker) annotations() error {
	if _, found := c.spec.Annotations[""]; found {
		return Fieldf("/annotations", "a key is empty")
	}
	return nil
}

var errNUL = errors.New("has a NUL byte in it")

// noNUL refuses what no system call can take: the kernel would see a shorter string than was
// checked.
func noNUL(pointer, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return Field(pointer, errNUL)
	}
	return nil
}
