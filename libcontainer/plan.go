package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/capabilities"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/idmap"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/netdev"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rdt"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/sdnotify"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/libcontainer/internal/spawn"
	"oci-run/libcontainer/internal/sysctl"
	"oci-run/specconv"
)

// plan is all that can be known about a container before it exists. Making it has no
// side effect; what is wrong with a config shows here.
type plan struct {
	init      initproc.Plan
	cgroup    *cgroups.Creation
	spawn     spawn.Request // without what only exists later
	joined    []namespaces.Joined
	devices   []netdev.Device
	resctrl   *rdt.Group // nil without one
	sharedPID bool
	noted     bool // the seccomp profile has something to be told of
}

func (f *Factory) newPlan(id string, b *specconv.Bundle, o *CreateOptions) (p *plan, err error) {
	span := trace.Begin("plan")
	defer func() { span.End(err) }()
	for _, w := range b.Warnings {
		log.Warn(w)
	}
	p = &plan{}
	spec := b.Spec
	if o.Notify {
		sdnotify.AddTo(spec, sdnotify.Dir(filepath.Join(f.Root, id)))
	}
	p.init.ID = id
	for _, subject := range p.subjects(f, id, b, o) {
		if err := subject(); err != nil {
			p.close()
			return nil, err
		}
	}
	p.init.Starts = o.Starts
	p.init.Limited = limitsMemory(spec.Linux.Resources)
	p.init.PreserveFDs = o.PreserveFDs
	p.init.Keyring = !o.NoNewKeyring
	return p, nil
}

// subjects are the parts of a plan, in the order in which they are made: each may look at what
// those before it have planned.
func (p *plan) subjects(f *Factory, id string, b *specconv.Bundle, o *CreateOptions) [subjectCount]func() error {
	spec := b.Spec
	return [...]func() error{
		subjectNamespaces:  func() error { return p.planNamespaces(spec) },
		subjectRoot:        func() error { return p.planRoot(b, o) },
		subjectProcess:     func() error { return p.planProcess(spec, o) },
		subjectConfinement: func() error { return p.planConfinement(b) },
		subjectCgroup:      func() error { return p.planCgroup(f, id, spec) },
		subjectResctrl:     func() (err error) { p.resctrl, err = rdt.New(spec.Linux.IntelRdt, id, ""); return err },
		subjectHooks:       func() error { return p.planHooks(id, b) },
	}
}

// The subjects of a plan, by their place in its order.
const (
	subjectNamespaces = iota
	subjectRoot
	subjectProcess
	subjectConfinement
	subjectCgroup
	subjectResctrl
	subjectHooks
	subjectCount
)

// limitsMemory tells whether a container has a limit of memory that it can reach.
func limitsMemory(r *specs.LinuxResources) bool {
	if r == nil {
		return false
	}
	_, unified := r.Unified["memory.max"]
	return unified || r.Memory != nil && r.Memory.Limit != nil && *r.Memory.Limit > 0
}

// close releases the namespaces that were opened to be joined.
func (p *plan) close() { namespaces.Close(p.joined) }

func (p *plan) planNamespaces(spec *specs.Spec) error {
	list := spec.Linux.Namespaces
	if err := namespaces.Check(list); err != nil {
		return err
	}
	var err error
	if p.joined, err = namespaces.Open(list); err != nil {
		return err
	}
	for _, j := range p.joined {
		p.spawn.Join = append(p.spawn.Join, spawn.Join{File: j.File, Flag: j.Kind.Flag, Name: string(j.Kind.Type)})
	}
	if err := p.adoptMappings(spec); err != nil {
		return err
	}
	flags := namespaces.CloneFlags(list)
	for i, ns := range list {
		if ns.Type == specs.CgroupNamespace && ns.Path == "" {
			p.init.CgroupNamespace = specconv.Pointer("linux", "namespaces", i)
		}
	}
	p.spawn.New = flags &^ unix.CLONE_NEWCGROUP
	p.init.Loopback = flags&unix.CLONE_NEWNET != 0
	_, p.init.UserNamespace = namespaces.Find(list, specs.UserNamespace)
	_, hasPID := namespaces.Find(list, specs.PIDNamespace)
	p.sharedPID = !hasPID
	p.spawn.WriteMaps = func(pid int) error { return idmap.Write(pid, spec.Linux.UIDMappings, spec.Linux.GIDMappings) }
	p.spawn.TimeOffsets = timeOffsets(spec.Linux.TimeOffsets)
	p.devices, err = netdev.NewPlan(spec.Linux.NetDevices)
	return err
}

// ownNetwork tells whether the network namespace is a new one that belongs to the user
// namespace that we are in, so that anybody here can make it.
func ownNetwork(list []specs.LinuxNamespace) bool {
	network, listed := namespaces.Find(list, specs.NetworkNamespace)
	_, user := namespaces.Find(list, specs.UserNamespace)
	return listed && network.Path == "" && !user
}

// timeOffsets formats linux.timeOffsets for /proc/PID/timens_offsets, time_namespaces(7).
func timeOffsets(offsets map[string]specs.LinuxTimeOffset) string {
	var text strings.Builder
	for clock, o := range offsets {
		fmt.Fprintf(&text, "%s %d %d\n", clock, o.Secs, o.Nanosecs)
	}
	return text.String()
}

func (p *plan) planRoot(b *specconv.Bundle, o *CreateOptions) error {
	root, err := rootfs.NewPlan(b.Spec, rootfs.Options{Bundle: b.Dir, NoPivot: o.NoPivot, Rootless: os.Geteuid() != 0})
	if err != nil {
		return err
	}
	p.init.Root = *root
	p.init.Hostname, p.init.Domainname = b.Spec.Hostname, b.Spec.Domainname
	p.init.Sysctl = b.Spec.Linux.Sysctl
	return sysctl.Check(b.Spec)
}

func (p *plan) planProcess(spec *specs.Spec, o *CreateOptions) error {
	spec.Process.Env = append(spec.Process.Env, o.Env...)
	proc, err := process.NewPlan(spec.Process, spec, "/process")
	if err != nil {
		return err
	}
	p.init.Process = *proc
	p.init.Process.LookAtCaller()
	p.init.Process.GroupsDenied = !p.init.UserNamespace && groupsDenied()
	p.spawn.UID, p.spawn.GID = proc.UID, proc.GID
	if p.init.Terminal, err = console.NewPlan(spec.Process, o.Foreground); err != nil {
		return err
	}
	if (p.init.Terminal != nil) != (o.ConsoleSocket != nil) {
		return consoleMismatch("/process", p.init.Terminal != nil)
	}
	return preserved(o.PreserveFDs)
}

func consoleMismatch(at string, terminal bool) error {
	if terminal {
		return specconv.Fieldf(at+"/terminal", "a terminal needs --console-socket PATH, or a run without --detach")
	}
	return errors.New("--console-socket: the process has no terminal (/process/terminal is false)")
}

// preserved checks that the fds which the program shall get are open.
func preserved(n int) error {
	if n < 0 {
		return fmt.Errorf("--preserve-fds %d: must not be negative", n)
	}
	for i := range n {
		// What has come over our own execution is not close-on-exec. All that is comes from here,
		// from Go's runtime for instance.
		flags, err := unix.FcntlInt(uintptr(3+i), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			return fmt.Errorf("--preserve-fds %d: fd %d is not open", n, 3+i)
		}
	}
	return nil
}

func (p *plan) planConfinement(b *specconv.Bundle) error {
	spec := b.Spec
	available, err := capabilities.Permitted(p.init.UserNamespace)
	if err != nil {
		return err
	}
	caps, warnings := capabilities.NewPlan(spec.Process.Capabilities, available, "/process/capabilities")
	for _, w := range warnings {
		log.Warn(b.Locate(w).Error())
	}
	p.init.Capabilities = *caps
	labels, err := lsm.NewPlan(spec.Process, spec.Linux.MountLabel, "/process")
	if err != nil {
		return err
	}
	p.init.Labels = *labels
	if spec.Linux.Seccomp == nil {
		return nil
	}
	filter, notes, err := seccomp.Compile(spec.Linux.Seccomp)
	for _, n := range notes {
		log.Debug(n)
	}
	p.noted = len(notes) > 0
	p.init.Seccomp, p.init.ExecRefused = filter, seccomp.ExecVerdict(spec.Linux.Seccomp)
	return err
}

func (p *plan) planCgroup(f *Factory, id string, spec *specs.Spec) error {
	var err error
	p.cgroup, err = cgroups.New(spec, cgroups.Options{ID: id, Driver: f.CgroupDriver, Rootless: f.Rootless})
	if err == nil {
		p.init.Root.CopyLimit = p.cgroup.LateMemory()
	}
	return err
}

func (p *plan) planHooks(id string, b *specconv.Bundle) error {
	p.init.State = specs.State{Version: b.Spec.Version, ID: id, Bundle: b.Dir, Annotations: b.Spec.Annotations}
	h := b.Spec.Hooks
	if h == nil {
		return nil
	}
	p.init.RuntimeHooks = len(h.Prestart)+len(h.CreateRuntime) > 0 // deprecated, and used by Docker before 28
	p.init.Hooks = specs.Hooks{CreateContainer: h.CreateContainer, StartContainer: h.StartContainer}
	return nil
}
