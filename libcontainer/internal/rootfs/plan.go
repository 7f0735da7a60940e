// Package rootfs turns what a configuration says about a container's files into a root: its mounts,
// /dev, what is masked and read-only, and the switch to it. The parent makes a [Plan], which is all
// policy and touches nothing; init applies it, holding file descriptors: no path that a container
// can influence is resolved outside its root, and a mount gets its attributes before anybody can
// see it.
//
// Init calls, in this order: [Open], [FS.Mounts], [FS.Devices], maybe [FS.OpenProc], (hooks),
// [FS.StdioNull], [FS.Pivot], [FS.Console], [FS.Readonly], (sysctl), [FS.ProtectPaths], [FS.Close].
package rootfs

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// Options is what the caller of [NewPlan] knows beside the configuration.
type Options struct {
	Bundle   string // absolute; what relative sources of bind mounts are relative to
	NoPivot  bool   // move the root to / and chroot, for systems whose root can't be pivoted (initramfs)
	Rootless bool   // the runtime itself has no privileges: it can't prepare sources for a user namespace
}

// Plan is what init does, as plain data.
type Plan struct {
	Root          string // the root's absolute path on the host
	Readonly      bool   // root.readonly, or "/" is among the read-only paths
	Propagation   uint32 // linux.rootfsPropagation: MS_SHARED…, maybe with MS_REC; 0 if not given
	NoPivot       bool
	MountNS       bool // the container has a mount namespace of its own; if not, it only gets a chroot
	UserNS        bool // it has a user namespace of its own
	CgroupNS      bool // it has a cgroup namespace of its own
	PIDNS         bool // it has a pid namespace of its own
	IPCNS         bool // it has an ipc namespace of its own
	Label         string
	Mounts        []Mount
	SetupDev      bool // /dev is the runtime's to fill
	Devices       []Device
	MaskedPaths   []string
	ReadonlyPaths []string

	// CopyLimit bounds what tmpcopyup takes while no limit of memory is in force yet, in bytes; 0
	// is not a bound.
	CopyLimit int64
	// Cgroups are the hierarchies that a mount of type cgroup shows. The caller fills them in once
	// it knows them.
	Cgroups []Hierarchy
	// Prepared says which mounts [Prepare] has made, by their index in Mounts.
	Prepared []int
}

// Kind says how a mount is made.
type Kind uint8

// The kinds of mounts.
const (
	Filesystem Kind = iota // a new superblock of Mount.Type
	Proc
	Sysfs
	Tmpfs
	Mqueue
	Cgroup // of whatever version the host has
	Cgroup2
	Bind
)

// Mount is a member of mounts.
type Mount struct {
	Index       int // in the configuration's mounts
	Kind        Kind
	Type        string
	Source      string // of a bind mount: an absolute path on the host
	Destination string // in the root: absolute and clean, maybe through symbolic links
	Params      []Param
	Attr        Flags // of the mount itself
	Rec         Flags // of the mount and those below it
	Super       Flags
	Propagation []uint32 // MS_SHARED…, maybe with MS_REC; in this order
	Given       bool     // an option says something about Attr: a bind mount doesn't keep its source's then
	Recursive   bool     // a bind mount with what is mounted below
	Remount     bool
	CopyUp      bool
	IDMap       *IDMap
	Links       Links
}

// IDMap is what ids of an idmapped mount are mapped with.
type IDMap struct {
	Recursive bool
	// UID and GID are both empty if the container's user namespace has the mappings.
	UID, GID []specs.LinuxIDMapping
}

// pointer is where the mount stands in the configuration.
func (m *Mount) pointer() string { return specconv.Pointer("mounts", m.Index) }

// NewPlan checks what a configuration says about the root and plans how to get it. Errors are
// *specconv.FieldError. It reads nothing but its arguments.
func NewPlan(spec *specs.Spec, o Options) (*Plan, error) {
	p := &Plan{NoPivot: o.NoPivot, SetupDev: true}
	if spec.Root == nil || spec.Root.Path == "" {
		return nil, specconv.Fieldf("/root/path", "must be given")
	}
	p.Root, p.Readonly = filepath.Clean(spec.Root.Path), spec.Root.Readonly
	if !filepath.IsAbs(p.Root) {
		p.Root = filepath.Join(o.Bundle, p.Root)
	}
	linux := spec.Linux
	if linux == nil {
		linux = &specs.Linux{}
	}
	for _, ns := range linux.Namespaces {
		switch ns.Type {
		case specs.MountNamespace:
			p.MountNS = true
		case specs.UserNamespace:
			p.UserNS = true
		case specs.CgroupNamespace:
			p.CgroupNS = true
		case specs.PIDNamespace:
			p.PIDNS = true
		case specs.IPCNamespace:
			p.IPCNS = true
		}
	}
	p.Label = linux.MountLabel
	if err := p.planPropagation(linux.RootfsPropagation); err != nil {
		return nil, err
	}
	if err := p.planMounts(spec, o); err != nil {
		return nil, err
	}
	if err := p.planDevices(linux.Devices); err != nil {
		return nil, err
	}
	return p, p.planProtected(linux)
}

// planPropagation takes one of the propagation options. A private root is not safe with a mere
// chroot: what the host unmounts would stay mounted, out of reach, below the container's root.
func (p *Plan) planPropagation(name string) error {
	const pointer = "/linux/rootfsPropagation"
	if name == "" {
		return nil
	}
	o, known := findOption(name)
	if !known || o.kind != propagation {
		return specconv.Fieldf(pointer, "%q is not a propagation: (r)shared, (r)slave, (r)private or (r)unbindable%s", name,
			spelling.Hint(name, []string{"shared", "rshared", "slave", "rslave", "private", "rprivate", "unbindable", "runbindable"}))
	}
	if p.NoPivot && o.flag&unix.MS_PRIVATE != 0 {
		return specconv.Fieldf(pointer, "%q is not safe without pivot_root", name)
	}
	p.Propagation = o.flag
	return nil
}

// planProtected takes the paths to hide and to write-protect, each once. "/" among the latter is
// the root's own mount, as in runc. Among the former it is refused: whatever is mounted on it, a
// process that has it as its root sees what is below.
func (p *Plan) planProtected(linux *specs.Linux) error {
	for _, l := range [...]struct {
		field string
		list  []string
		out   *[]string
	}{
		{"maskedPaths", linux.MaskedPaths, &p.MaskedPaths},
		{"readonlyPaths", linux.ReadonlyPaths, &p.ReadonlyPaths},
	} {
		if len(l.list) > 0 && !p.MountNS {
			return specconv.Fieldf(specconv.Pointer("linux", l.field), "%s need a mount namespace", l.field)
		}
		seen := make(map[string]bool, len(l.list))
		for i, unsafePath := range l.list {
			clean := path.Clean("/" + unsafePath)
			switch {
			case strings.IndexByte(clean, 0) >= 0:
				return specconv.Fieldf(specconv.Pointer("linux", l.field, i), "%q has a NUL byte in it", unsafePath)
			case clean == "/" && l.out == &p.MaskedPaths:
				return specconv.Fieldf(specconv.Pointer("linux", l.field, i), "%q is the root, which can't be hidden from its own processes", unsafePath)
			case clean == "/":
				p.Readonly = true
			case !seen[clean]:
				seen[clean] = true
				*l.out = append(*l.out, clean)
			}
		}
	}
	return nil
}

// Asks tells whether init will ask for the source of a mount, see [Ask].
func (p *Plan) Asks() bool { return p.has(func(m *Mount) bool { return m.IDMap != nil }) }

// has tells whether there is a mount of a kind.
func (p *Plan) has(is func(m *Mount) bool) bool {
	for i := range p.Mounts {
		if is(&p.Mounts[i]) {
			return true
		}
	}
	return false
}

func (m *Mount) isCgroup() bool { return m.Kind == Cgroup || m.Kind == Cgroup2 }
