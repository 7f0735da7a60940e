package process

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
)

// field19 are the nice value, real-time priority and policy in /proc/PID/stat.
const schedulerFacts = `cut -d ' ' -f 19,40,41 /proc/self/stat`

func TestScheduler(t *testing.T) {
	// What these policies say nothing of stays the caller's, which may have been started by
	// nice(1).
	own, _, _ := strings.Cut(runChild(t, &specs.Spec{Process: shell(schedulerFacts)}), " ")
	for _, test := range []struct {
		s    specs.Scheduler
		want string
	}{
		{specs.Scheduler{Policy: specs.SchedBatch, Nice: 7}, "7 0 3\n"},
		{specs.Scheduler{Policy: specs.SchedOther, Nice: 19}, "19 0 0\n"},
		{specs.Scheduler{Policy: specs.SchedIdle}, own + " 0 5\n"},
		{specs.Scheduler{Policy: specs.SchedFIFO, Priority: 3}, own + " 3 1\n"},
		{specs.Scheduler{Policy: specs.SchedISO}, "/process/scheduler: set scheduler SCHED_ISO: invalid argument"},
	} {
		p := shell(schedulerFacts)
		p.Scheduler = &test.s
		got := runChild(t, &specs.Spec{Process: p})
		if strings.Contains(got, "SCHED_FIFO: operation not permitted") {
			t.Logf("real-time scheduling has no budget in this cgroup: %s", got)
			continue
		}
		if got != test.want && !strings.HasPrefix(got, "error: "+test.want) {
			t.Errorf("%+v: %q, want %q", test.s, got, test.want)
		}
	}
}

func TestSchedulerWithCPUs(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("one CPU")
	}
	p := &Plan{Scheduler: &Scheduler{Attr: unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_DEADLINE, Runtime: 42000, Deadline: 1000000, Period: 1000000,
	}}}
	errs := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		var one unix.CPUSet
		one.Set(0)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			errs <- err
			return
		}
		set := func(l *calls.List) { p.AddScheduler(l, 0) }
		err := calls.Here(set)
		p.Scheduler.CPUs = true
		errs <- fmt.Errorf("%w, with cpus: %w", err, calls.Here(set))
	}()
	err := <-errs
	want := "/scheduler: set scheduler SCHED_DEADLINE: operation not permitted, with cpus: /scheduler: process scheduler can't be used together with AllowedCPUs"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestIOPriority(t *testing.T) {
	p := shell("ionice")
	p.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 6}
	if got := runChild(t, &specs.Spec{Process: p}); got != "best-effort: prio 6\n" {
		t.Error(got)
	}
}

func TestPersonality(t *testing.T) {
	p := shell("cat /proc/self/personality")
	spec := &specs.Spec{Process: p, Linux: &specs.Linux{Personality: &specs.LinuxPersonality{Domain: specs.PerLinux32}}}
	if got := runChild(t, spec); got != "00000008\n" {
		t.Error(got)
	}
	spec.Linux.Personality.Domain = specs.PerLinux
	if got := runChild(t, spec); got != "00000000\n" {
		t.Error(got)
	}
}

func TestMemoryPolicy(t *testing.T) {
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skipf("the kernel has no memory policies (CONFIG_NUMA): %v", err)
	}
	p := shell("head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2")
	for _, test := range []struct {
		m    specs.LinuxMemoryPolicy
		want string
	}{
		{specs.LinuxMemoryPolicy{Mode: specs.MpolInterleave, Nodes: "0"}, "interleave:0\n"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes}}, "bind=static:0\n"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolPreferred, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFRelativeNodes}}, "prefer=relative:0\n"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolDefault}, "default\n"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "1000"}, "error: /linux/memoryPolicy: set memory policy 0x2 for nodes \"1000\": invalid argument (this machine has the memory nodes 0"},
	} {
		if got := runChild(t, &specs.Spec{Process: p, Linux: &specs.Linux{MemoryPolicy: &test.m}}); !strings.HasPrefix(got, test.want) {
			t.Errorf("%+v: %q, want %q", test.m, got, test.want)
		}
	}
}

func TestAffinity(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("one CPU")
	}
	every := runChild(t, &specs.Spec{Process: shell("grep Cpus_allowed_list /proc/self/status")})
	limited := runChild(t, &specs.Spec{Process: shell("grep Cpus_allowed_list /proc/self/status")}, "taskset", "-c", "0")
	if every != limited || strings.HasSuffix(every, "\t0\n") {
		t.Errorf("inherited affinity: %q, want %q", limited, every)
	}
	errs := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		plan := Plan{AffinityInitial: CPUSet{1}, AffinityFinal: CPUSet{2}}
		var got unix.CPUSet
		for _, step := range []struct {
			plan Plan
			want int
		}{{plan, 1}, {Plan{AffinityInitial: plan.AffinityInitial}, 1}, {Plan{}, -1}} {
			if err := calls.Here(func(l *calls.List) { step.plan.AddExecAffinity(l, unix.Gettid()) }); err != nil {
				errs <- err
				return
			}
			if err := unix.SchedGetaffinity(0, &got); err != nil || step.want >= 0 && (got.Count() != 1 || !got.IsSet(step.want)) || step.want < 0 && got.Count() < 2 {
				errs <- fmt.Errorf("CPUs %x after %+v, %w", got[:1], step.plan, err)
				return
			}
		}
		errs <- nil
	}()
	if err := <-errs; err != nil {
		t.Error(err)
	}
	bad := Plan{AffinityFinal: CPUSet{0, 0, 1}}
	if err := calls.Here(func(l *calls.List) { bad.AddExecAffinity(l, 0) }); err == nil || !strings.HasPrefix(err.Error(), "execCPUAffinity.final: set CPU affinity 0x1000") {
		t.Error(err)
	}
}

func TestKeyring(t *testing.T) {
	if _, err := os.Stat("/proc/keys"); err != nil {
		t.Skipf("the kernel has no keyrings (CONFIG_KEYS): %v", err)
	}
	const id = "oci-run-test"
	p := shell("cat /proc/keys")
	got := runChild(t, &specs.Spec{Process: p, Hostname: id})
	line := ""
	for l := range strings.Lines(got) {
		if strings.Contains(l, "_ses."+id) {
			line = l
		}
	}
	if fields := strings.Fields(line); len(fields) < 5 || fields[4] != "3f1b0000" && fields[4] != "3f3b0000" {
		t.Errorf("rights of the session keyring: %q in\n%s", line, got)
	}
}

// TestKeyringQuota uses up the quota of a user that nobody is.
func TestKeyringQuota(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("effective uid is not 0")
	}
	errs := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and its keys with it
		const uid = 3141592653
		if _, _, errno := unix.RawSyscall(linux.SysSetresuid, uid, uid, uid); errno != 0 {
			errs <- errno
			return
		}
		for n := range 100000 {
			if _, err := unix.AddKey("user", fmt.Sprint("oci-run-test-", n), []byte("x"), unix.KEY_SPEC_THREAD_KEYRING); err != nil {
				break
			}
		}
		errs <- calls.Here(func(l *calls.List) { AddKeyring(l, "quota", true, false) })
	}()
	if err := <-errs; err == nil || !strings.Contains(err.Error(), `join session keyring "_ses.quota": disk quota exceeded (the quota of keys`) {
		t.Error(err)
	}
}

func TestDumpable(t *testing.T) {
	defer unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
	if err := calls.Here(AddUndumpable); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_DUMPABLE, 0, 0); got != 0 {
		t.Errorf("dumpable %d", got)
	}
}
