package seccomp

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

func parseTestProfile(t *testing.T, text string) *specs.LinuxSeccomp {
	t.Helper()
	s := &specs.LinuxSeccomp{}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// What is wrong in a profile is named by its place.
func TestErrors(t *testing.T) {
	rule := func(fields string) string {
		return `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_KILL"}, {` + fields + `}]}`
	}
	for _, test := range []struct{ profile, pointer, text string }{
		{`{"defaultAction": "SCMP_ACT_MAYBE"}`, "/linux/seccomp/defaultAction", `"SCMP_ACT_MAYBE" is not an action of seccomp`},
		{rule(`"names": [], "action": "SCMP_ACT_KILL"`), "/linux/seccomp/syscalls/1/names", "must have at least one entry"},
		{`{"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/x"}`, "/linux/seccomp/defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action"},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}`, "/linux/seccomp/defaultErrnoRet", "action SCMP_ACT_ALLOW has no errno"},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5000}`, "/linux/seccomp/defaultErrnoRet", "errno 5000 is greater than 4095"},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_VAX"]}`, "/linux/seccomp/architectures/1", `"SCMP_ARCH_VAX" is not an architecture`},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG", "LOG"]}`, "/linux/seccomp/flags/1", `"LOG" is not a flag`},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}`, "/linux/seccomp/listenerMetadata", "without listenerPath"},
		{`{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`, "/linux/seccomp/defaultAction", `"" is not an action`},
		{rule(`"names": ["open"], "action": "KILL"`), "/linux/seccomp/syscalls/1/action", `"KILL" is not an action`},
		{rule(`"names": ["open"], "action": "SCMP_ACT_LOG", "errnoRet": 1`), "/linux/seccomp/syscalls/1/errnoRet", "action SCMP_ACT_LOG has no errno"},
		{rule(`"names": ["open"], "action": "SCMP_ACT_TRACE", "errnoRet": 65536`), "/linux/seccomp/syscalls/1/errnoRet", "greater than 4095"},
		{rule(`"names": ["open", ""], "action": "SCMP_ACT_LOG"`), "/linux/seccomp/syscalls/1/names/1", "is empty"},
		{rule(`"names": ["open", "write"], "action": "SCMP_ACT_NOTIFY"`), "/linux/seccomp/syscalls/1/names/1", "SCMP_ACT_NOTIFY cannot be used for the write syscall"},
		{rule(`"names": ["open"], "action": "SCMP_ACT_NOTIFY"`), "/linux/seccomp/syscalls/1/action", "needs listenerPath"},
		{rule(`"names": ["open"], "action": "SCMP_ACT_LOG", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]`), "/linux/seccomp/syscalls/1/args/0/index", "index 6: a system call has 6 arguments"},
		{rule(`"names": ["open"], "action": "SCMP_ACT_LOG", "args": [{"index": 5, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 1, "op": "EQ"}]`), "/linux/seccomp/syscalls/1/args/1/op", `"EQ" is not an operator`},
	} {
		_, _, err := Compile(parseTestProfile(t, test.profile))
		field := (*specconv.FieldError)(nil)
		if !errors.As(err, &field) || field.Pointer != test.pointer || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s\n\tgives %v, not %s: …%s…", test.profile, err, test.pointer, test.text)
		}
	}
}

// The kernel takes 4096 instructions: more are refused before anything is started.
func TestTooLongProfile(t *testing.T) {
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	for i := range uint64(5000) {
		s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{
			Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 0, Value: i << 32, Op: specs.OpEqualTo}},
		})
	}
	if _, _, err := Compile(s); err == nil || !strings.Contains(err.Error(), "of which the kernel allows 4096") {
		t.Error(err)
	}
}

// A long filter has jumps beyond the 255 instructions of a conditional one.
func TestLongProfile(t *testing.T) {
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for i := range syscallCount {
		s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{
			Names: []string{syscallName(i)}, Action: specs.ActErrno, ErrnoRet: new(uint(100 + i)),
			Args: []specs.LinuxSeccompArg{{Index: 0, Value: uint64(i) << 20, Op: specs.OpGreaterThan}},
		})
	}
	program, r := compileForTest(t, s), read(s)
	if len(program) < 1000 {
		t.Errorf("%d instructions", len(program))
	}
	for number := range uint32(600) {
		for _, value := range []uint64{0, uint64(number) << 20, 1 << 31, 1 << 40} {
			checkAnswer(t, r, program, &seccompData{number: number, arch: r.archs[0].audit, args: [6]uint64{value}})
		}
	}
}

func TestNoProfile(t *testing.T) {
	for _, s := range []*specs.LinuxSeccomp{nil, {}, {Architectures: []specs.Arch{specs.ArchX86}}} {
		if f, warnings, err := Compile(s); f != nil || warnings != nil || err != nil {
			t.Errorf("%+v: %+v %v %v", s, f, warnings, err)
		}
	}
}

// The flags are runc's, as its debug log shows them.
func TestFlags(t *testing.T) {
	for _, test := range []struct {
		flags string
		want  uint32
	}{
		{``, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
		{`, "flags": []`, 0},
		{`, "flags": ["SECCOMP_FILTER_FLAG_TSYNC"]`, 0},
		{`, "flags": ["SECCOMP_FILTER_FLAG_LOG"]`, unix.SECCOMP_FILTER_FLAG_LOG},
		{`, "flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"]`, 6},
		{`, "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]`, 0},
		{`, "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "listenerPath": "/x", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]`, 40},
	} {
		f, warnings, err := Compile(parseTestProfile(t, `{"defaultAction": "SCMP_ACT_ALLOW"`+test.flags+`}`))
		if err != nil {
			t.Errorf("%s: %v", test.flags, err)
			continue
		}
		if f.Flags != test.want {
			t.Errorf("%s gives %d, not %d", test.flags, f.Flags, test.want)
		}
		if idle := strings.Contains(test.flags, "KILLABLE") && test.want == 0; idle != (len(warnings) == 1) {
			t.Errorf("%s: %q", test.flags, warnings)
		}
	}
}

func TestListener(t *testing.T) {
	f, _, err := Compile(parseTestProfile(t, `{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/agent", "listenerMetadata": "x",
		"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	f.Instructions = nil
	want := &Filter{Flags: unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, Notify: true, ListenerPath: "/agent", ListenerMetadata: "x"}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
	f, _, err = Compile(parseTestProfile(t, `{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/agent", "listenerMetadata": "x"}`))
	if err != nil || f.Notify || f.ListenerPath != "" {
		t.Errorf("an agent that is not needed: %+v %v", f, err)
	}
}

// Protection that a profile seems to give and does not is worth a warning, the rest isn't: Podman's
// profile names setns in two rules.
func TestIdleRules(t *testing.T) {
	_, warnings, err := Compile(parseTestProfile(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["read", "socket"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}]},
		{"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
		{"names": ["socket", "clone3"], "action": "SCMP_ACT_ALLOW"}]}`))
	want := []string{`/linux/seccomp/syscalls/0: has no effect on "socket", which /linux/seccomp/syscalls/2 names without conditions`}
	if diff := cmp.Diff(want, warnings); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, warnings, err := Compile(readTestProfile(t, "docker.json")); len(warnings) != 0 || err != nil {
		t.Errorf("Docker's profile: %q %v", warnings, err)
	}
}

// A rule for socket also concerns socketcall, where its conditions cannot be tested: what may be
// denied is.
func TestMultiplexedCalls(t *testing.T) {
	x86 := lookUpArchitecture(specs.ArchX86)
	for _, test := range []struct {
		profile string
		call    uint64
		want    uint32
	}{
		{`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW"}]`, 1, unix.SECCOMP_RET_ALLOW},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW"}]`, 3, unix.SECCOMP_RET_ERRNO | 1},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_NE"}]}]`, 1, unix.SECCOMP_RET_ERRNO | 1},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]}]`, 1, unix.SECCOMP_RET_KILL_THREAD},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["connect"], "action": "SCMP_ACT_KILL"}]`, 1<<32 | 3, unix.SECCOMP_RET_KILL_THREAD},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_KILL"}, {"names": ["socketcall"], "action": "SCMP_ACT_ALLOW"}]`, 1, unix.SECCOMP_RET_ALLOW},
	} {
		program := compileForTest(t, parseTestProfile(t, test.profile+`, "architectures": ["SCMP_ARCH_X86"]}`))
		got, _ := interpret(program, &seccompData{number: 102, arch: x86.audit, args: [6]uint64{test.call, 38, 1}}, false)
		if got != test.want {
			t.Errorf("%s\n\tsocketcall(%#x) gives %#x, not %#x", test.profile, test.call, got, test.want)
		}
	}
}

func TestTables(t *testing.T) {
	for _, names := range [][]string{Actions(), Operators(), Archs()} {
		if !slices.IsSorted(names) {
			t.Errorf("%q is not sorted", names)
		}
	}
	if len(Archs()) != 23 {
		t.Errorf("%d architectures, the specification has 23", len(Archs()))
	}
	for i := range syscallCount {
		if index, known := lookUpSyscall(syscallName(i)); !known || index != i {
			t.Errorf("%q is found at %d, not at %d", syscallName(i), index, i)
		}
	}
	for _, name := range []string{"", "a", "zzz", "readx", "rea"} {
		if _, known := lookUpSyscall(name); known {
			t.Errorf("%q is found", name)
		}
	}
	for _, test := range []struct {
		arch specs.Arch
		name string
		want int64
	}{
		{specs.ArchX86_64, "read", 0}, {specs.ArchX32, "read", x32Bit}, {specs.ArchX32, "execve", x32Bit + 520},
		{specs.ArchARM, "set_tls", 0xf0005}, {specs.ArchARM, "socketcall", -1}, {specs.ArchMIPS, "read", 4003},
		{specs.ArchMIPS64N32, "read", 6000}, {specs.ArchMIPS64N32, "mseal", 6462}, {specs.ArchS390, "lchown", 16}, {specs.ArchS390X, "lchown", 198},
	} {
		if got := numberOf(lookUpArchitecture(test.arch), test.name); got != test.want {
			t.Errorf("%s on %s is %d, not %d", test.name, test.arch, got, test.want)
		}
	}
}

// The generated file is what the generator makes of the modules in go.mod.
func TestTablesAreFresh(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	fresh := filepath.Join(t.TempDir(), "zsyscalls.go")
	if out, err := exec.Command("go", "run", "./gensyscalls", fresh).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile("zsyscalls.go"); err != nil || !bytes.Equal(have, want) {
		t.Errorf("zsyscalls.go is not what go generate makes (%v)", err)
	}
}
