package libcontainer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/capabilities"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/libcontainer/internal/state"
	"oci-run/specconv"
)

// Config is the config.json that a container was created with, as far as another process
// of the container has to do with it.
type Config struct {
	*specs.Spec // without linux.seccomp
	filter      *seccomp.Filter
}

// Config reads the container's config.json.
func (c *Container) Config() (_ *Config, err error) {
	span := trace.Begin("read config.json")
	defer func() { span.End(err) }()
	dir, err := c.dir()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if c.record.Phase == state.Creating { // config.json may not be whole
		status, err := c.status(dir)
		if err == nil {
			err = toExec.require(c.record.ID, status)
		}
		if err != nil {
			return nil, err
		}
	}
	raw, err := dir.Config()
	if err != nil {
		return nil, fmt.Errorf("container %q: %w", c.record.ID, err)
	}
	config := &Config{}
	var profile []byte
	if config.Spec, profile, err = specconv.ParseForExec(raw); err != nil || len(profile) == 0 {
		return config, err
	}
	config.filter, err = seccompFilter(dir, profile)
	return config, err
}

// seccompFilter takes the filter that create has compiled, or compiles the profile if that
// is not there, damaged, or of another version of oci-run.
func seccompFilter(dir *state.Dir, profile []byte) (*seccomp.Filter, error) {
	stored, err := dir.Filter()
	if err == nil {
		var f *seccomp.Filter
		if f, err = seccomp.Restore(stored); err == nil {
			return f, nil
		}
	}
	log.Debug("compile the seccomp profile again: " + err.Error())
	var parsed specs.LinuxSeccomp
	if _, err := specconv.Decode(profile, &parsed); err != nil {
		return nil, err
	}
	f, _, err := seccomp.Compile(&parsed)
	return f, err
}

// newPlan works out all that can be known before the process exists.
func (e *execution) newPlan(p *specs.Process) (err error) {
	span := trace.Begin("plan")
	defer func() { span.End(err) }()
	if err := specconv.CheckProcess(p); err != nil {
		return err
	}
	e.plan.ID, e.plan.Exec, e.plan.Keyring, e.plan.PreserveFDs = e.container.ID(), &initproc.Exec{}, true, e.options.PreserveFDs
	_, e.plan.UserNamespace = namespaces.Find(e.spec.Linux.Namespaces, specs.UserNamespace)
	proc, err := process.NewPlan(p, e.spec, "")
	if err != nil {
		return err
	}
	e.plan.Process = *proc
	e.plan.Process.LookAtCaller()
	e.plan.Process.GroupsDenied = !e.plan.UserNamespace && groupsDenied()
	e.separateNproc()
	if e.plan.Terminal, err = console.NewPlan(p, e.options.Foreground); err != nil {
		return err
	}
	if (e.plan.Terminal != nil) != (e.options.ConsoleSocket != nil) {
		return consoleMismatch("", e.plan.Terminal != nil)
	}
	if err := preserved(e.options.PreserveFDs); err != nil {
		return err
	}
	return e.planConfinement(p)
}

func (e *execution) planConfinement(p *specs.Process) error {
	available, err := capabilities.Permitted(e.plan.UserNamespace)
	if err != nil {
		return err
	}
	caps, warnings := capabilities.NewPlan(p.Capabilities, available, "")
	for _, w := range warnings {
		if field, ok := errors.AsType[*specconv.FieldError](w); ok { // it mostly comes from an option
			w = field.Err
		}
		log.Warn(w.Error())
	}
	e.plan.Capabilities = *caps
	labels, err := lsm.NewPlan(p, e.spec.Linux.MountLabel, "")
	if err != nil {
		return err
	}
	e.plan.Labels = *labels
	return nil
}

// separateNproc takes RLIMIT_NPROC out of the limits that the helper gets for the process:
// the helper is a process of the same user.
func (e *execution) separateNproc() {
	limits := &e.plan.Process.Rlimits
	for i, limit := range *limits {
		if limit.Resource == unix.RLIMIT_NPROC {
			e.plan.Exec.Nproc = &unix.Rlimit{Cur: limit.Soft, Max: limit.Hard}
			*limits = slices.Delete(slices.Clone(*limits), i, i+1)
			return
		}
	}
}
