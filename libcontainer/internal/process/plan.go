// Package process does what the fields of specs.Process, linux.personality and linux.memoryPolicy
// ask of a process.
//
// The parent calls NewPlan, which checks and resolves all that can be known before a process
// exists. What the process does to itself is added to a list of calls (package calls) by the
// functions of the plan, one per subject. Who makes the calls is a thread of init's, a child of a
// raw fork, or a process that is not a Go program: Go's wrappers that change credentials act on
// every thread of a process and cost a signal to each.
//
// The order for a container's first process; caps is the plan of package capabilities, label that
// of lsm:
//
//	AddNofile                           at the start of init
//	label.AddKeys, AddKeyring
//	… namespaces, mounts …
//	CreateCwd                           while the root is writable
//	AddOOMScore                         while dumpable, or by the parent
//	label.Add
//	ResolveHome                         before limits that it may exceed
//	AddRlimits                          by the parent if there is a user namespace
//	ResetPriorities                     by the parent, of what the caller had
//	AddPriorities                       once the process is in its cgroup
//	AddCwd
//	caps.AddBeforeUser
//	AddStdio, AddUser
//	caps.AddAfterUser
//	Entering.AddAgain                   if AddCwd was not permitted
//	AddRest
//	… package program …
//
// An exec is the same without AddNofile and CreateCwd.
package process

import (
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Plan is what one process of a container, the first or a later one, shall be. It is plain data
// that travels to init.
type Plan struct {
	// At is the JSON pointer of the process in the document that it is from, for errors.
	At   string
	Args []string
	// Env is the environment without duplicates and, if NeedHome, without HOME, which only init can
	// find out.
	Env      []string
	NeedHome bool
	// Path is what PATH in Env says, or the default if Env has none.
	Path string
	Cwd  string

	UID, GID     uint32
	Groups       []uint32
	KeepGroups   bool // the supplementary groups stay the caller's
	GroupsDenied bool // the user namespace that the runtime is in, and the container too, denies setgroups(2)
	Umask        uint32

	NoNewPrivs  bool
	OOMScoreAdj *int
	// CallerNofile is the RLIMIT_NOFILE that the parent was started with, see [CallerNofile].
	CallerNofile unix.Rlimit
	Rlimits      []Rlimit

	Scheduler *Scheduler
	// IOPriority is the value for ioprio_set(2), or 0 to leave the thread's as it is.
	IOPriority uint32
	// Personality is the value for personality(2), or nil to leave the thread's as it is.
	Personality  *uint32
	MemoryPolicy *MemoryPolicy

	Inherited Inherited

	// AffinityInitial and AffinityFinal are the CPU masks of execCPUAffinity, empty if there are
	// none.
	AffinityInitial, AffinityFinal CPUSet
}

// subject is a part of NewPlan: it checks its fields and fills in its part of the plan. at is the
// JSON pointer of p.
type subject func(plan *Plan, p *specs.Process, spec *specs.Spec, at string) error

// NewPlan resolves p, which is spec.Process or the process of an exec, completed with Inherit, and
// checks what only this package knows: names and ranges. What specconv.CheckProcess checks (form of
// args, cwd, env and limits) must have passed. spec is the container's. at is the JSON pointer of p
// in the document it came from: "/process" for a config.json, "" for a process.json. Errors are
// *specconv.FieldError.
func NewPlan(p *specs.Process, spec *specs.Spec, at string) (*Plan, error) {
	plan := &Plan{At: at, Args: p.Args, Cwd: filepath.Clean("/" + p.Cwd), NoNewPrivs: p.NoNewPrivileges}
	plan.planEnv(p.Env)
	for _, plans := range [...]subject{
		planUser, planRlimits, planOOMScore, planScheduler, planIOPriority, planAffinity, planPersonality, planMemoryPolicy,
	} {
		if err := plans(plan, p, spec, at); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// Inherit returns a copy of p, the process of an exec, in which the fields that p leaves out are
// those of the container's first process, base: the sets of capabilities, labels, limits,
// priorities, affinity, umask and oom_score_adj. User, cwd, env and noNewPrivileges are p's own.
// These are runc's rules.
func Inherit(p, base *specs.Process) *specs.Process {
	out := *p
	if base == nil {
		return &out
	}
	inherit(&out.Capabilities, base.Capabilities)
	inherit(&out.OOMScoreAdj, base.OOMScoreAdj)
	inherit(&out.Scheduler, base.Scheduler)
	inherit(&out.IOPriority, base.IOPriority)
	inherit(&out.ExecCPUAffinity, base.ExecCPUAffinity)
	inherit(&out.User.Umask, base.User.Umask)
	if out.ApparmorProfile == "" {
		out.ApparmorProfile = base.ApparmorProfile
	}
	if out.SelinuxLabel == "" {
		out.SelinuxLabel = base.SelinuxLabel
	}
	if len(out.Rlimits) == 0 {
		out.Rlimits = base.Rlimits
	}
	return &out
}

func inherit[T any](field **T, base *T) {
	if *field == nil {
		*field = base
	}
}
