package specconv

import (
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// cgroupsPath leaves all but NUL to the cgroups: with it, what was recorded of them could not be
// removed again.
func (c *checker) cgroupsPath() error { return noNUL("/linux/cgroupsPath", c.linux.CgroupsPath) }

// netDevices: devices move out of the runtime's network namespace, so there has to be another one.
func (c *checker) netDevices() error {
	const pointer = "/linux/netDevices"
	if len(c.linux.NetDevices) == 0 {
		return nil
	}
	if !c.has(specs.NetworkNamespace) {
		return Fieldf(pointer, "network devices need a network namespace")
	}
	taken := make(map[string]string, len(c.linux.NetDevices))
	for _, host := range slices.Sorted(maps.Keys(c.linux.NetDevices)) {
		at := pointer + Pointer(host)
		if !validDeviceName(host) {
			return Fieldf(at, "%q is not a name of a network device", host)
		}
		name := c.linux.NetDevices[host].Name
		if name == "" {
			name = host
		} else if !validDeviceName(name) || !validTemplate(name) {
			return Fieldf(at+"/name", "%q is not a name of a network device", name)
		}
		if other, found := taken[name]; found && !strings.Contains(name, "%") {
			return Fieldf(at, "%q and %q would both be %q in the container", other, host, name)
		}
		taken[name] = host
	}
	return nil
}

// validDeviceName is the kernel's dev_valid_name. Its isspace() is Latin-1's, where 0xa0 is a space
// too.
func validDeviceName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) >= unix.IFNAMSIZ {
		return false
	}
	for i := range len(name) {
		if strings.IndexByte("/: \t\n\v\f\r\x00\xa0", name[i]) >= 0 {
			return false
		}
	}
	return true
}

// validTemplate allows one %d, for which the kernel puts the lowest free number, and no other '%'.
func validTemplate(name string) bool {
	_, rest, found := strings.Cut(name, "%")
	return !found || strings.HasPrefix(rest, "d") && !strings.Contains(rest, "%")
}

// PersonalityDomains are the domains of linux.personality and their values for personality(2)
// (include/uapi/linux/personality.h).
var PersonalityDomains = [...]struct {
	Name  specs.LinuxPersonalityDomain
	Value uint32
}{
	{specs.PerLinux, 0x0000},
	{specs.PerLinux32, 0x0008},
}

// personality: "Currently no flag values are supported" (config-linux.md).
func (c *checker) personality() error {
	p := c.linux.Personality
	if p == nil {
		return nil
	}
	if len(p.Flags) > 0 {
		return Fieldf("/linux/personality/flags/0", "flag %q is not known", p.Flags[0])
	}
	for _, d := range PersonalityDomains {
		if d.Name == p.Domain {
			return nil
		}
	}
	return Fieldf("/linux/personality/domain", "domain %q is not known, must be LINUX or LINUX32", p.Domain)
}

// intelRdt keeps closID a name below the resctrl filesystem ("/" is the root itself), and a schema
// a line where it "MUST NOT contain newlines". l3CacheSchema only "SHOULD NOT": several lines in it
// are several resources.
func (c *checker) intelRdt() error {
	r := c.linux.IntelRdt
	if r == nil {
		return nil
	}
	const pointer = "/linux/intelRdt"
	if id := r.ClosID; id == "." || id == ".." || id != "/" && strings.ContainsAny(id, "/\n\x00") {
		return Fieldf(pointer+"/closID", "%q is not a name of a directory", id)
	}
	if err := noNUL(pointer+"/l3CacheSchema", r.L3CacheSchema); err != nil {
		return err
	}
	if s := r.MemBwSchema; s != "" && (!strings.HasPrefix(s, "MB:") || strings.ContainsAny(s, "\n\x00")) {
		return Fieldf(pointer+"/memBwSchema", `%q is not one line that begins with "MB:"`, s)
	}
	for i, line := range r.Schemata {
		if strings.ContainsAny(line, "\n\x00") {
			return Fieldf(pointer+Pointer("schemata", i), "%q is not one line", line)
		}
	}
	return nil
}
