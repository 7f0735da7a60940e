package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/hooks"
	"oci-run/internal/log"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/capabilities"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/specconv"
)

// Preview is what a create would do, as far as that is known before anything is made: the plan that
// it would apply, for people and programs. Nothing in it differs from one call to the next as long
// as bundle and host stay the same, so that two of them can be compared.
type Preview struct {
	ID       string `json:"id"`
	Bundle   string `json:"bundle"`
	Root     string `json:"root"`
	Readonly bool   `json:"rootReadonly"`
	// Propagation is the root's, "" if the configuration names none.
	Propagation string `json:"rootPropagation,omitempty"`
	// Way is what the container's process begins as: "list", a list of system calls, or "init",
	// which is oci-run executed again; and Why the reason.
	Way string `json:"way"`
	Why string `json:"why"`

	Namespaces  []PreviewNamespace `json:"namespaces"`
	UIDMappings []string           `json:"uidMappings,omitempty"` // "container 0-65535 is host 100000-165535"
	GIDMappings []string           `json:"gidMappings,omitempty"`
	Cgroup      *cgroups.Outline   `json:"cgroup"`
	// Converted are the cgroup's files whose value is not that of the configuration.
	Converted []string            `json:"converted,omitempty"`
	Mounts    []rootfs.MountLine  `json:"mounts"`
	Devices   []rootfs.DeviceLine `json:"devices"`
	Masked    []string            `json:"maskedPaths"`
	Protected []string            `json:"readonlyPaths"`

	Hostname   string            `json:"hostname,omitempty"`
	Domainname string            `json:"domainname,omitempty"`
	Sysctl     map[string]string `json:"sysctl,omitempty"`

	Process      *PreviewProcess  `json:"process,omitempty"` // nil without one
	Capabilities *PreviewCaps     `json:"capabilities,omitempty"`
	Seccomp      *seccomp.Summary `json:"seccomp,omitempty"`
	Hooks        []PreviewHook    `json:"hooks"`
	// Steps are those of a create, in order, with who makes them; Calls the system calls of the
	// process: in the way of a list all of them, in the way of init those by which it becomes what
	// Process, Capabilities and Seccomp say.
	Steps []string     `json:"steps"`
	Calls []calls.Line `json:"calls"`
	// Warnings are what a create would warn of.
	Warnings []string `json:"warnings,omitempty"`
}

// PreviewNamespace is a namespace of the container.
type PreviewNamespace struct {
	Type string `json:"type"`
	Path string `json:"path,omitempty"` // of the one that is joined; "" is a new one
}

// PreviewProcess is what the container's process is to be.
type PreviewProcess struct {
	Args            []string `json:"args"`
	Cwd             string   `json:"cwd"`
	Env             []string `json:"env"`
	UID             uint32   `json:"uid"`
	GID             uint32   `json:"gid"`
	Groups          []uint32 `json:"groups"`
	Umask           string   `json:"umask"`
	Terminal        bool     `json:"terminal"`
	NoNewPrivileges bool     `json:"noNewPrivileges"`
	OOMScoreAdj     *int     `json:"oomScoreAdj,omitempty"`
	Rlimits         []string `json:"rlimits,omitempty"` // "RLIMIT_NOFILE 1024 4096"
	SELinux         string   `json:"selinuxLabel,omitempty"`
	AppArmor        string   `json:"apparmorProfile,omitempty"`
}

// PreviewCaps are the sets of capabilities as /proc/PID/status will show them.
type PreviewCaps struct {
	Inheritable string `json:"CapInh"`
	Permitted   string `json:"CapPrm"`
	Effective   string `json:"CapEff"`
	Bounding    string `json:"CapBnd"`
	Ambient     string `json:"CapAmb"`
	// Names are those of the bounding set.
	Names []string `json:"boundingNames"`
}

// PreviewHook is a hook with its moment.
type PreviewHook struct {
	Moment  string   `json:"moment"`
	When    string   `json:"when"`
	Path    string   `json:"path"`
	Args    []string `json:"args,omitempty"`
	Timeout *int     `json:"timeout,omitempty"` // in seconds
}

// Preview plans a container as [Factory.Create] does, and makes nothing. It is not for concurrent
// use: what the plans would log is taken for warnings.
func (f *Factory) Preview(id string, b *specconv.Bundle, o *CreateOptions) (*Preview, error) {
	heard := &listener{}
	before := log.SetHandler(heard)
	defer log.SetHandler(before)
	given := *o
	if given.Foreground = given.ConsoleSocket == nil; b.Spec.Process.Terminal && given.Foreground {
		terminal, err := os.Open(os.DevNull) // stands for the terminal that somebody will give
		if err != nil {
			return nil, err
		}
		defer terminal.Close()
		given.ConsoleSocket = terminal
	}
	p, err := f.newPlan(id, b, &given)
	if err != nil {
		return nil, b.Locate(err)
	}
	defer p.close()
	v, err := p.preview(b)
	if err != nil {
		return nil, b.Locate(err)
	}
	if v.Cgroup, err = p.cgroup.Outline(); err != nil {
		return nil, b.Locate(err)
	}
	v.Converted = converted(b, v.Cgroup.Files)
	if v.Process != nil {
		if v.Calls, err = p.calls(b, v.Way == byListWay); err != nil {
			return nil, b.Locate(err)
		}
	}
	v.Warnings = heard.texts
	return v, nil
}

func (p *plan) preview(b *specconv.Bundle) (v *Preview, err error) {
	spec, init := b.Spec, &p.init
	v = &Preview{
		ID: init.ID, Bundle: b.Dir, Root: init.Root.Root, Readonly: init.Root.Readonly, Propagation: init.Root.RootPropagation(),
		Namespaces: []PreviewNamespace{}, UIDMappings: mappingLines(spec.Linux.UIDMappings), GIDMappings: mappingLines(spec.Linux.GIDMappings),
		Mounts: init.Root.DescribeMounts(), Devices: init.Root.DescribeDevices(),
		Masked: append([]string{}, init.Root.MaskedPaths...), Protected: append([]string{}, init.Root.ReadonlyPaths...),
		Hostname: init.Hostname, Domainname: init.Domainname, Sysctl: init.Sysctl,
		Hooks: previewHooks(spec.Hooks), Calls: []calls.Line{},
	}
	if v.Way, v.Why, err = p.describeWay(); err != nil {
		return nil, err
	}
	v.Steps = initproc.StepNames(v.Way == byListWay)
	for _, k := range namespaces.Kinds { // in the order in which they are joined
		if ns, found := namespaces.Find(spec.Linux.Namespaces, k.Type); found {
			v.Namespaces = append(v.Namespaces, PreviewNamespace{string(ns.Type), ns.Path})
		}
	}
	if b.HasProcess() {
		v.Process = p.previewProcess(spec)
		v.Capabilities = previewCaps(&init.Capabilities)
		v.Seccomp = seccomp.Summarize(init.Seccomp, spec.Linux.Seccomp)
	}
	return v, nil
}

// describeWay tells what the container's process begins as, and why.
func (p *plan) describeWay() (way, why string, err error) {
	file, why, err := p.byList()
	if file == nil {
		return byInitWay, why, err
	}
	file.Close()
	return byListWay, "nothing asks for another start of oci-run in the container", nil
}

// The ways.
const (
	byInitWay = "init" // it is oci-run, executed again
	byListWay = "list" // it is a list of system calls
)

func mappingLines(maps []specs.LinuxIDMapping) (lines []string) {
	for _, m := range maps {
		last := uint64(m.Size) - 1
		lines = append(lines, fmt.Sprintf("container %d-%d is host %d-%d", m.ContainerID, uint64(m.ContainerID)+last, m.HostID, uint64(m.HostID)+last))
	}
	return lines
}

func (p *plan) previewProcess(spec *specs.Spec) *PreviewProcess {
	from := &p.init.Process
	v := &PreviewProcess{
		Args: from.Args, Cwd: from.Cwd, Env: append([]string{}, from.Env...), UID: from.UID, GID: from.GID, Groups: append([]uint32{}, from.Groups...),
		Umask: fmt.Sprintf("%04o", from.Umask), Terminal: spec.Process.Terminal, NoNewPrivileges: from.NoNewPrivs, OOMScoreAdj: from.OOMScoreAdj,
		SELinux: p.init.Labels.SELinux, AppArmor: p.init.Labels.AppArmor,
	}
	for _, limit := range from.Rlimits {
		v.Rlimits = append(v.Rlimits, limit.String())
	}
	return v
}

func previewCaps(c *capabilities.Plan) *PreviewCaps {
	hex := func(set uint64) string { return fmt.Sprintf("%016x", set) }
	v := &PreviewCaps{
		Inheritable: hex(c.Inheritable), Permitted: hex(c.Permitted), Effective: hex(c.Effective), Bounding: hex(c.Bounding), Ambient: hex(c.Ambient),
		Names: []string{},
	}
	if names := capabilities.Format(c.Bounding); names != "" {
		v.Names = strings.Split(names, ", ")
	}
	return v
}

// moments say when the hooks of a list run.
var moments = [...]struct{ name, when string }{
	{hooks.Prestart, "by create, once the mounts are made, in the runtime's namespaces"},
	{hooks.CreateRuntime, "by create, once the mounts are made, in the runtime's namespaces"},
	{hooks.CreateContainer, "by create, before the root changes, in the container's namespaces"},
	{hooks.StartContainer, "by start, before the program, in the container"},
	{hooks.Poststart, "by start, once the program runs, in the runtime's namespaces"},
	{hooks.Poststop, "by delete, in the runtime's namespaces"},
}

func previewHooks(h *specs.Hooks) []PreviewHook {
	lines := []PreviewHook{}
	for _, m := range moments {
		for _, hook := range hooks.List(h, m.name) {
			lines = append(lines, PreviewHook{m.name, m.when, hook.Path, hook.Args, hook.Timeout})
		}
	}
	return lines
}

// converted lists the files that get another value than the configuration has: v1's shares as v2's
// weight, memory and swap as swap alone.
func converted(b *specconv.Bundle, files []cgroups.FileLine) (lines []string) {
	for _, file := range files {
		if text := b.Text(file.Field); text != "" && strings.Trim(text, `"`) != file.Value && !strings.ContainsAny(text, "{[") {
			lines = append(lines, fmt.Sprintf("%s %s becomes %s %s", file.Field, text, filepath.Base(file.Path), file.Value))
		}
	}
	return slices.Compact(lines)
}

// calls lists what the process does to itself. The root is looked into as it is now.
func (p *plan) calls(b *specconv.Bundle, byList bool) ([]calls.Line, error) {
	dir, err := os.Open(b.Spec.Root.Path)
	if err != nil {
		return nil, specconv.Field("/root/path", err)
	}
	defer dir.Close()
	return p.init.Describe(process.Root{Dir: dir}, byList)
}
