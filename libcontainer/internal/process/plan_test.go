package process

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/syncpipe/wire"
	"oci-run/specconv"
)

func TestNewPlan(t *testing.T) {
	spec := &specs.Spec{
		Process: &specs.Process{
			Args: []string{"sh"}, Cwd: "/a/../b/", Env: []string{"PATH=/bin", "A=1"}, NoNewPrivileges: true,
			User:            specs.User{UID: 1, GID: 2, AdditionalGids: []uint32{3, 4}, Umask: new(uint32(0o27))},
			Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 2}, {Type: "RLIMIT_RTTIME", Soft: 3, Hard: ^uint64(0)}},
			OOMScoreAdj:     new(0),
			Scheduler:       &specs.Scheduler{Policy: specs.SchedBatch, Nice: 5, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork, specs.SchedFlagKeepPolicy}},
			IOPriority:      &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_IDLE, Priority: 7},
			ExecCPUAffinity: &specs.CPUAffinity{Initial: "0-1", Final: "64"},
		},
		Linux: &specs.Linux{
			Personality:  &specs.LinuxPersonality{Domain: specs.PerLinux},
			MemoryPolicy: &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0,65", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes}},
			Resources:    &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0"}},
		},
	}
	got, err := NewPlan(spec.Process, spec, "/process")
	if err != nil {
		t.Fatal(err)
	}
	want := &Plan{
		At: "/process", Args: []string{"sh"}, Env: []string{"PATH=/bin", "A=1"}, NeedHome: true, Path: "/bin", Cwd: "/b",
		UID: 1, GID: 2, Groups: []uint32{3, 4}, Umask: 0o27, NoNewPrivs: true, OOMScoreAdj: new(0),
		Rlimits:         []Rlimit{{unix.RLIMIT_NOFILE, 1, 2}, {unix.RLIMIT_RTTIME, 3, unix.RLIM_INFINITY}},
		Scheduler:       &Scheduler{Attr: unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Flags: 0x09, Nice: 5}, CPUs: true},
		IOPriority:      3<<13 | 7,
		Personality:     new(uint32(0)),
		MemoryPolicy:    &MemoryPolicy{Mode: unix.MPOL_BIND | unix.MPOL_F_STATIC_NODES, Nodes: CPUSet{1, 2}},
		AffinityInitial: CPUSet{3}, AffinityFinal: CPUSet{0, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var travelled Plan
	if err := wire.Unmarshal(wire.Marshal(got), &travelled); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &travelled); diff != "" {
		t.Error("on the way to init:", diff)
	}
}

func TestNewPlanDefaults(t *testing.T) {
	p := &specs.Process{Args: []string{"sh"}, Cwd: "/"}
	got, err := NewPlan(p, &specs.Spec{}, "")
	if err != nil {
		t.Fatal(err)
	}
	want := &Plan{Args: p.Args, Env: []string{}, NeedHome: true, Path: defaultPath, Cwd: "/", Umask: 0o022}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewPlanErrors(t *testing.T) {
	const none = specs.LinuxSchedulerPolicy("")
	scheduler := func(s specs.Scheduler) *specs.Spec { return &specs.Spec{Process: &specs.Process{Scheduler: &s}} }
	memory := func(m specs.LinuxMemoryPolicy) *specs.Spec {
		return &specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{MemoryPolicy: &m}}
	}
	process := func(p specs.Process) *specs.Spec { return &specs.Spec{Process: &p} }
	personality := func(p specs.LinuxPersonality) *specs.Spec {
		return &specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{Personality: &p}}
	}
	for _, test := range []struct {
		spec          *specs.Spec
		pointer, text string
	}{
		{process(specs.Process{Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_CPU"}, {Type: "NOFILE"}}}), "/process/rlimits/1/type", `invalid rlimit type "NOFILE"`},
		{process(specs.Process{OOMScoreAdj: new(1001)}), "/process/oomScoreAdj", "1001"},
		{process(specs.Process{User: specs.User{UID: invalidID}}), "/process/user/uid", "not a user id"},
		{process(specs.Process{User: specs.User{GID: invalidID}}), "/process/user/gid", "not a group id"},
		{process(specs.Process{User: specs.User{AdditionalGids: []uint32{0, invalidID}}}), "/process/user/additionalGids/1", "not a group id"},
		{process(specs.Process{User: specs.User{Umask: new(uint32(0o1000))}}), "/process/user/umask", "01000"},
		{process(specs.Process{IOPriority: &specs.LinuxIOPriority{Class: "RT"}}), "/process/ioPriority/class", `"RT"`},
		{process(specs.Process{IOPriority: &specs.LinuxIOPriority{}}), "/process/ioPriority/class", `""`},
		{process(specs.Process{IOPriority: &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 8}}), "/process/ioPriority/priority", "8"},
		{process(specs.Process{ExecCPUAffinity: &specs.CPUAffinity{Initial: "1-"}}), "/process/execCPUAffinity/initial", `""`},
		{process(specs.Process{ExecCPUAffinity: &specs.CPUAffinity{Final: "3-1"}}), "/process/execCPUAffinity/final", "backwards"},
		{scheduler(specs.Scheduler{Policy: none}), "/process/scheduler/policy", `""`},
		{scheduler(specs.Scheduler{Policy: "SCHED_NONE"}), "/process/scheduler/policy", `"SCHED_NONE"`},
		{scheduler(specs.Scheduler{Policy: specs.SchedOther, Nice: 20}), "/process/scheduler/nice", "20"},
		{scheduler(specs.Scheduler{Policy: specs.SchedOther, Priority: 1}), "/process/scheduler/priority", "SCHED_FIFO and SCHED_RR only"},
		{scheduler(specs.Scheduler{Policy: specs.SchedFIFO}), "/process/scheduler/priority", "between 1 and 99"},
		{scheduler(specs.Scheduler{Policy: specs.SchedRR, Priority: 100}), "/process/scheduler/priority", "between 1 and 99"},
		{scheduler(specs.Scheduler{Policy: specs.SchedIdle, Period: 1}), "/process/scheduler", "SCHED_DEADLINE only"},
		{scheduler(specs.Scheduler{Policy: specs.SchedDeadline}), "/process/scheduler/runtime", "wants a runtime"},
		{scheduler(specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 3, Deadline: 2}), "/process/scheduler", "3, 2, 0"},
		{scheduler(specs.Scheduler{Policy: specs.SchedOther, Flags: []specs.LinuxSchedulerFlag{"X"}}), "/process/scheduler/flags/0", `invalid scheduler flag "X"`},
		{personality(specs.LinuxPersonality{Domain: "BSD"}), "/linux/personality/domain", `"BSD"`},
		{personality(specs.LinuxPersonality{Domain: specs.PerLinux, Flags: []specs.LinuxPersonalityFlag{"X"}}), "/linux/personality/flags/0", `"X"`},
		{memory(specs.LinuxMemoryPolicy{}), "/linux/memoryPolicy/mode", "invalid memory policy mode"},
		{memory(specs.LinuxMemoryPolicy{Mode: "INTERLEAVE", Nodes: "0"}), "/linux/memoryPolicy/mode", "invalid memory policy mode"},
		{memory(specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{"badflag"}}), "/linux/memoryPolicy/flags/0", "invalid memory policy flag"},
		{memory(specs.LinuxMemoryPolicy{Mode: specs.MpolDefault, Nodes: "0-7"}), "/linux/memoryPolicy/nodes", "mode requires 0 nodes but got 8"},
		{memory(specs.LinuxMemoryPolicy{Mode: specs.MpolBind}), "/linux/memoryPolicy/nodes", "at least one node"},
		{memory(specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0-9876543210"}), "/linux/memoryPolicy/nodes", "invalid memory policy node"},
		{memory(specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes, specs.MpolFRelativeNodes}}), "/linux/memoryPolicy/flags", "exclude"},
	} {
		_, err := NewPlan(test.spec.Process, test.spec, "/process")
		var field *specconv.FieldError
		if !errors.As(err, &field) || field.Pointer != test.pointer || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%v, want %q at %s", err, test.text, test.pointer)
		}
	}
}

func TestInherit(t *testing.T) {
	base := &specs.Process{
		Capabilities: &specs.LinuxCapabilities{}, OOMScoreAdj: new(5), Scheduler: &specs.Scheduler{}, IOPriority: &specs.LinuxIOPriority{},
		ExecCPUAffinity: &specs.CPUAffinity{}, User: specs.User{UID: 7, Umask: new(uint32(1))}, ApparmorProfile: "a", SelinuxLabel: "s",
		Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_CPU"}}, NoNewPrivileges: true, Cwd: "/base", Env: []string{"A=1"},
	}
	got := Inherit(&specs.Process{Args: []string{"x"}}, base)
	want := *base
	want.Args, want.User.UID, want.NoNewPrivileges, want.Cwd, want.Env = []string{"x"}, 0, false, "", nil
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
	own := &specs.Process{OOMScoreAdj: new(1), ApparmorProfile: "mine", Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_AS"}}}
	if got := Inherit(own, base); *got.OOMScoreAdj != 1 || got.ApparmorProfile != "mine" || got.Rlimits[0].Type != "RLIMIT_AS" {
		t.Errorf("%+v", got)
	}
	if got := Inherit(own, nil); got == own || !cmp.Equal(got, own) {
		t.Errorf("%+v", got)
	}
}

// TestTables holds that every entry of a table has a name.
func TestTables(t *testing.T) {
	for _, names := range [][]string{
		rlimitNames[:], schedulerPolicies[:], schedulerFlags[:], ioPriorityClasses[1:], MemoryPolicyModes(), MemoryPolicyFlags(),
	} {
		if len(names) == 0 || slices.Contains(names, "") {
			t.Errorf("%q", names)
		}
	}
}

func TestPlanEnv(t *testing.T) {
	for _, test := range []struct {
		name     string
		in, want []string
		needHome bool
		path     string
	}{
		{"empty", nil, []string{}, true, defaultPath},
		{"last duplicate wins in its place", []string{"A=1", "PATH=/a", "A=2", "B=", "PATH=/b"}, []string{"A=2", "B=", "PATH=/b"}, true, "/b"},
		{"home", []string{"HOME=/x", "A=="}, []string{"HOME=/x", "A=="}, false, defaultPath},
		{"empty home", []string{"HOME=/x", "HOME=", "A=1"}, []string{"A=1"}, true, defaultPath},
		{"empty path", []string{"PATH="}, []string{"PATH="}, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p Plan
			p.planEnv(test.in)
			if diff := cmp.Diff(test.want, p.Env); diff != "" || p.NeedHome != test.needHome || p.Path != test.path {
				t.Error(diff, p.NeedHome, p.Path)
			}
		})
	}
}
