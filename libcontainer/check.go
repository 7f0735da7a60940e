package libcontainer

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/hooks"
	"oci-run/internal/log"
	"oci-run/libcontainer/internal/capabilities"
	"oci-run/libcontainer/internal/idmap"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/netdev"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/specconv"
)

// checkID is the name of the container that a bundle is checked for: which one it will be makes no
// difference but to where its cgroup is.
const checkID = "oci-run-check"

// Check adds to a survey of a bundle what planning its container finds wrong, and what of it this
// host can't give the caller. Nothing is made. It is not for concurrent use: while it looks, what
// the plans would log is taken for warnings.
func (f *Factory) Check(s *specconv.Survey) {
	heard := &listener{}
	before := log.SetHandler(heard)
	defer log.SetHandler(before)
	for i := range lookers {
		l := &lookers[i]
		s.Look(func(b *specconv.Bundle) error {
			heard.texts = nil
			return f.look(b, l, heard)
		})
		for _, text := range heard.texts { // of the last look, at what has no fault any more
			s.Warn(l.pointer, text)
		}
	}
}

// looker is a part of what [Factory.Check] does: it plans a subject, and asks what the plan will
// meet on this host.
type looker struct {
	subject int
	pointer string // the place of what is only warned of
	// before changes the bundle, so that what the looker before it has found fault with is no more
	// in the way; nil if nothing is.
	before func(*specs.Spec)
	// foresee is asked once the subject is planned; nil if there is nothing to ask.
	foresee func(*plan, *specconv.Bundle) error
}

var lookers = [...]looker{
	{subject: subjectNamespaces, pointer: "/linux/namespaces", foresee: (*plan).foreseeNamespaces},
	{subject: subjectRoot, pointer: "/mounts", foresee: func(p *plan, _ *specconv.Bundle) error { return p.init.Root.Foresee() }},
	{subject: subjectProcess, pointer: "/process", foresee: (*plan).foreseeProcess},
	{subject: subjectConfinement, pointer: "/process/capabilities", foresee: (*plan).foreseeConfinement},
	{subject: subjectConfinement, pointer: "/process/capabilities", foresee: (*plan).foreseeConfinement, before: anyDefault},
	{subject: subjectCgroup, pointer: "/linux/resources", foresee: func(p *plan, _ *specconv.Bundle) error { return p.cgroup.Foresee() }},
	{subject: subjectResctrl, pointer: "/linux/intelRdt"},
	{subject: subjectHooks, pointer: "/hooks", foresee: (*plan).foreseeHooks},
}

// anyDefault gives a seccomp profile without a proper default one, so that its rules are looked at.
func anyDefault(spec *specs.Spec) {
	if s := spec.Linux.Seccomp; s != nil && (s.DefaultAction == specs.ActNotify || !slices.Contains(seccomp.Actions(), string(s.DefaultAction))) {
		s.DefaultAction, s.DefaultErrnoRet = specs.ActAllow, nil
	}
}

// look plans as far as one subject, and then asks what is foreseen of it. What is wrong with the
// subjects before it is those lookers' finding.
func (f *Factory) look(b *specconv.Bundle, l *looker, heard *listener) error {
	o := &CreateOptions{Foreground: true}
	if b.Spec.Process.Terminal {
		terminal, err := os.Open(os.DevNull) // stands for the terminal that somebody will give
		if err != nil {
			return err
		}
		defer terminal.Close()
		o.ConsoleSocket = terminal
	}
	if l.before != nil {
		l.before(b.Spec)
	}
	p := &plan{}
	defer p.close()
	subjects := p.subjects(f, checkID, b, o)
	for _, subject := range subjects[:l.subject] {
		_ = subject()
	}
	heard.texts = nil
	err := subjects[l.subject]()
	if err == nil && l.foresee != nil {
		err = l.foresee(p, b)
	}
	return err
}

func (p *plan) foreseeNamespaces(b *specconv.Bundle) error {
	linux := b.Spec.Linux
	if err := namespaces.Foresee(linux.Namespaces, may(unix.CAP_SYS_ADMIN)); err != nil {
		return err
	}
	if ns, found := namespaces.Find(linux.Namespaces, specs.UserNamespace); found && ns.Path == "" {
		if err := idmap.Foresee(linux.UIDMappings, linux.GIDMappings); err != nil {
			return err
		}
	}
	return netdev.Foresee(p.devices)
}

func (p *plan) foreseeProcess(b *specconv.Bundle) error {
	resource := may(unix.CAP_SYS_RESOURCE) && !idmap.InUserNamespace()
	if err := p.init.Process.Foresee("/process", resource); err != nil {
		return err
	}
	return p.foreseeProgram(b)
}

func (p *plan) foreseeConfinement(b *specconv.Bundle) error {
	if err := capabilities.CheckNames(b.Spec.Process.Capabilities, "/process"); err != nil {
		return err
	}
	if err := p.init.Labels.Foresee("/process"); err != nil {
		return err
	}
	return seccomp.Foresee(b.Spec.Linux.Seccomp)
}

// may tells whether the caller has a capability.
func may(number uint) bool {
	set, err := capabilities.Permitted(false)
	return err == nil && set&(1<<number) != 0
}

// foreseeProgram looks for the program in the root filesystem as it is now.
func (p *plan) foreseeProgram(b *specconv.Bundle) error {
	root := openRoot(b)
	if root == nil || !b.HasProcess() {
		return nil
	}
	defer root.Close()
	return specconv.Field("/process/args/0", program.Missing(&p.init.Process, process.Root{Dir: root}, covered(b)))
}

// foreseeHooks looks for the programs of hooks. Those of startContainer are in the container
// (config.md, "startContainer Hooks"), all others among what the runtime sees.
func (p *plan) foreseeHooks(b *specconv.Bundle) error {
	root := openRoot(b)
	if root != nil {
		defer root.Close()
	}
	for _, name := range hooks.Names() {
		for i, hook := range hooks.List(b.Spec.Hooks, name) {
			var err error
			if name != hooks.StartContainer {
				err = executable(hook.Path)
			} else if root != nil {
				err = program.MissingFile(hook.Path, process.Root{Dir: root}, covered(b))
			}
			if err != nil {
				return specconv.Field(specconv.Pointer("hooks", name, i, "path"), fmt.Errorf("the hook can't be executed: %w", err))
			}
		}
	}
	return nil
}

// executable tells why the caller could not execute a file of the host's.
func executable(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if fi.IsDir() {
		return &os.PathError{Op: "exec", Path: path, Err: unix.EISDIR}
	}
	if err := unix.Access(path, unix.X_OK); err != nil {
		return &os.PathError{Op: "exec", Path: path, Err: err}
	}
	return nil
}

// openRoot opens the root filesystem. It is nil if there is none, which is the finding of others.
func openRoot(b *specconv.Bundle) *os.File {
	if b.Spec.Root.Path == b.Dir { // what completes a path that isn't given
		return nil
	}
	root, err := os.Open(b.Spec.Root.Path)
	if err != nil {
		return nil
	}
	return root
}

// covered tells of a path whether the container will have a mount there or above.
func covered(b *specconv.Bundle) func(string) bool {
	return func(name string) bool {
		for i := range b.Spec.Mounts {
			at := path.Clean("/" + b.Spec.Mounts[i].Destination)
			if name = path.Clean("/" + name); name == at || strings.HasPrefix(name, at+"/") {
				return true
			}
		}
		return false
	}
}

// listener takes what is meant for a log, as far as that is a warning.
type listener struct{ texts []string }

// Enabled implements log.Handler.
func (l *listener) Enabled(level log.Level) bool { return level >= log.LevelWarn }

// Log implements log.Handler.
func (l *listener) Log(_ log.Level, text string) { l.texts = append(l.texts, text) }
