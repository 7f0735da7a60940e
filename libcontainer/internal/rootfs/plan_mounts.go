package rootfs

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// kinds are the filesystem types that are more than a type. What isn't here is a Filesystem.
var kinds = [...]struct {
	name string
	kind Kind
}{
	{"proc", Proc},
	{"sysfs", Sysfs},
	{"tmpfs", Tmpfs},
	{"mqueue", Mqueue},
	{"cgroup", Cgroup},
	{"cgroup2", Cgroup2},
	{"bind", Bind},
}

// belowProc are the only places inside /proc where a mount may be, all made by lxcfs and the like.
// Anything else there could make the runtime write a label or a sysctl to a file of the image
// (CVE-2019-16884).
var belowProc = []string{
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/loadavg",
	"/proc/meminfo",
	"/proc/slabinfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/sys/crypto/fips_enabled",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/uptime",
}

func (p *Plan) planMounts(spec *specs.Spec, o Options) error {
	p.Mounts = make([]Mount, 0, len(spec.Mounts))
	for i := range spec.Mounts {
		m, err := p.planMount(&spec.Mounts[i], i, o)
		if err != nil {
			return err
		}
		if m.Kind == Bind && m.Destination == "/dev" {
			p.SetupDev = false
		}
		p.Mounts = append(p.Mounts, m)
	}
	return nil
}

func (p *Plan) planMount(s *specs.Mount, i int, o Options) (Mount, error) {
	opts := parseOptions(s.Options, s.Type == "overlay")
	m := Mount{
		Index: i, Type: s.Type, Source: s.Source, Destination: p.destination(s.Destination),
		Params: opts.params, Attr: opts.attr, Rec: opts.rec, Super: opts.super, Propagation: opts.propagation,
		Given:   !opts.attr.empty() || !opts.super.empty(),
		Remount: opts.remount, CopyUp: opts.copyUp, IDMap: opts.idmap, Links: opts.links,
	}
	for _, k := range kinds {
		if k.name == s.Type {
			m.Kind = k.kind
		}
	}
	// The option makes a bind mount, not the type, which "bind" means as well (config.md says
	// "none" or "bind").
	if opts.bind || m.Kind == Bind {
		m.Kind, m.Type, m.Recursive = Bind, "bind", opts.rbind
		if !filepath.IsAbs(m.Source) {
			m.Source = filepath.Join(o.Bundle, m.Source)
		}
	}
	return m, m.check(s, p, o)
}

// destination is where a mount goes in the root. A relative one is relative to /. Some callers put
// the root's own path on the host before it, which runc takes off as well.
func (p *Plan) destination(d string) string {
	clean := path.Clean("/" + d)
	if rest, found := strings.CutPrefix(clean, p.Root+"/"); found && p.Root != "/" {
		return "/" + rest
	}
	return clean
}

func (m *Mount) check(s *specs.Mount, p *Plan, o Options) error {
	pointer := m.pointer()
	switch {
	case s.Destination == "":
		return specconv.Fieldf(pointer+"/destination", "must be given")
	case strings.IndexByte(s.Destination+s.Source+s.Type, 0) >= 0:
		return specconv.Fieldf(pointer, "has a zero byte")
	case m.Destination == "/":
		return specconv.Fieldf(pointer+"/destination", "%q is the root, over which nothing can be mounted", s.Destination)
	case m.Kind == Filesystem && (m.Type == "" || m.Type == "none") && !m.Remount:
		return specconv.Fieldf(pointer+"/type", "%q is not a filesystem; a bind mount has the option bind or rbind", m.Type)
	case m.Kind == Bind && s.Source == "" && !m.Remount:
		return specconv.Fieldf(pointer+"/source", "must be given for a bind mount")
	case m.Kind == Bind && len(m.Params) > 0:
		at := m.Params[0].Option
		return specconv.Fieldf(pointer+specconv.Pointer("options", at),
			"bind mounts cannot have any filesystem-specific options applied: %q%s", s.Options[at], spelling.Hint(s.Options[at], MountOptionNames()))
	case m.CopyUp && m.Kind != Tmpfs:
		return specconv.Fieldf(pointer+specconv.Pointer("options", slices.Index(s.Options, "tmpcopyup")), "tmpcopyup is for tmpfs only")
	}
	for _, param := range m.Params {
		if param.unclosed() {
			return specconv.Fieldf(pointer+specconv.Pointer("options", param.Option), "%q has a quote that does not end", s.Options[param.Option])
		}
		if param.Key == "" || strings.IndexByte(param.Key+param.Value, 0) >= 0 {
			return specconv.Fieldf(pointer+specconv.Pointer("options", param.Option), "%q is not an option", s.Options[param.Option])
		}
	}
	if err := m.checkProc(); err != nil {
		return err
	}
	if err := m.checkLinks(s.Options); err != nil {
		return err
	}
	return m.planIDMap(s, p, o)
}

// checkProc keeps /proc a procfs. What only shows when symbolic links are followed, init checks.
func (m *Mount) checkProc() error {
	pointer := m.pointer() + "/destination"
	switch {
	case m.Destination == "/proc" && m.Kind != Proc && m.Kind != Bind && !m.Remount:
		return specconv.Fieldf(pointer, "%q cannot be mounted because it is not of type proc", m.Destination)
	case strings.HasPrefix(m.Destination, "/proc/") && !slices.Contains(belowProc, m.Destination):
		return specconv.Fieldf(pointer, "%q cannot be mounted because it is inside /proc", m.Destination)
	}
	return nil
}

// planIDMap: "If there are no uidMappings and gidMappings specified and the container isn't using
// user namespaces, an error MUST be returned" (config.md). The mappings make an idmapped mount
// without the options too.
func (m *Mount) planIDMap(s *specs.Mount, p *Plan, o Options) error {
	mapped := len(s.UIDMappings) > 0 || len(s.GIDMappings) > 0
	if !mapped && m.IDMap == nil {
		return nil
	}
	pointer := m.pointer()
	if m.IDMap == nil {
		m.IDMap = &IDMap{}
	}
	m.IDMap.UID, m.IDMap.GID = s.UIDMappings, s.GIDMappings
	switch {
	case mapped && len(s.UIDMappings) == 0:
		return specconv.Fieldf(pointer+"/uidMappings", "must be given along with gidMappings")
	case mapped && len(s.GIDMappings) == 0:
		return specconv.Fieldf(pointer+"/gidMappings", "must be given along with uidMappings")
	case !mapped && !p.UserNS:
		return specconv.Fieldf(pointer, "idmap needs uidMappings and gidMappings or a user namespace")
	case m.Kind != Bind && m.legacy():
		return specconv.Fieldf(pointer, "a mount with ids mapped can't have an option as long as these, or with a comma in it")
	case m.Remount:
		return specconv.Fieldf(pointer, "the mappings of a mount can't be changed")
	case o.Rootless:
		return specconv.Fieldf(pointer, "id-mapped mounts are not supported for rootless containers")
	}
	return nil
}

// readonlyLate tells that the mount must stay writable until everything is in it: what is mounted
// below needs mount points, /dev needs nodes.
func (m *Mount) readonlyLate() bool {
	return m.Attr.Set&unix.MS_RDONLY != 0 && m.Kind != Bind && (m.Kind == Tmpfs || m.Destination == "/dev")
}
