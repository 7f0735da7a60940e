package seccomp

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// inputsPerProfile system calls are tried on each random profile, of which rapid makes 100, or as
// many as -rapid.checks says: 20000 for the million.
const inputsPerProfile = 100

// Compiled and interpreted, a profile says what a plain reading of it says.
func TestCompiledIsWhatIsRead(t *testing.T) {
	cases := 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawProfile(t)
		program, r := compileForTest(t, s), read(s)
		for range inputsPerProfile {
			checkAnswer(t, r, program, drawCall(t, s))
			cases++
		}
	})
	t.Logf("%d cases", cases)
}

// FuzzCompile does the same with the fuzzer's bytes as the source of randomness.
func FuzzCompile(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		s := drawProfile(t)
		program, r := compileForTest(t, s), read(s)
		for range 10 {
			checkAnswer(t, r, program, drawCall(t, s))
		}
	}))
}

func compileForTest(t rapid.TB, s *specs.LinuxSeccomp) []unix.SockFilter {
	f, _, err := Compile(s)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	program := decode(f.Instructions)
	if err := checkProgram(program); err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return program
}

func checkAnswer(t rapid.TB, r *reading, program []unix.SockFilter, d *seccompData) {
	bigEndian := slices.ContainsFunc(architectures[:], func(a architecture) bool { return a.audit == d.arch && a.bigEndian })
	got, _ := interpret(program, d, bigEndian)
	if want := r.answer(d); got != want {
		for i, in := range program {
			fmt.Fprintf(os.Stderr, "%3d %#04x %3d %3d %#x\n", i, in.Code, in.Jt, in.Jf, in.K)
		}
		t.Fatalf("%+v\n%+v\nthe filter says %#x, the profile %#x", *r.s, *d, got, want)
	}
}

var testNames = []string{
	"read", "write", "open", "openat", "clone", "clone3", "socket", "socketcall", "connect", "accept", "send", "ipc", "shmat",
	"semop", "semtimedop", "personality", "mmap", "mmap2", "futex", "kcmp", "statx", "mseal", "cacheflush", "set_tls",
	"rt_sigaction", "ptrace", "exit", "execve", "setxattrat", "no_such_call",
}

func drawProfile(t *rapid.T) *specs.LinuxSeccomp {
	s := &specs.LinuxSeccomp{ListenerPath: "/agent"}
	action := rapid.SampledFrom(Actions())
	pick := func(label string) specs.LinuxSeccompAction { return specs.LinuxSeccompAction(action.Draw(t, label)) }
	errno := func(a specs.LinuxSeccompAction) *uint {
		if a != specs.ActErrno && a != specs.ActTrace || rapid.Bool().Draw(t, "own errno") {
			return nil
		}
		return new(rapid.SampledFrom([]uint{0, 1, 38, 4095}).Draw(t, "errno"))
	}
	for s.DefaultAction = pick("default"); s.DefaultAction == specs.ActNotify; {
		s.DefaultAction = specs.ActErrno
	}
	s.DefaultErrnoRet = errno(s.DefaultAction)
	for _, a := range rapid.SliceOfN(rapid.SampledFrom(Archs()), 0, 5).Draw(t, "architectures") {
		s.Architectures = append(s.Architectures, specs.Arch(a))
	}
	// Few different names give many rules for one call, all names give long filters.
	name := rapid.SampledFrom(testNames)
	most := 4
	if rapid.IntRange(0, 4).Draw(t, "long") == 0 {
		name, most = rapid.Map(rapid.IntRange(0, syscallCount-1), syscallName), 200
	}
	for range rapid.IntRange(0, 8).Draw(t, "rules") {
		rule := specs.LinuxSyscall{Names: rapid.SliceOfN(name, 1, most).Draw(t, "names"), Action: pick("action")}
		if rule.Action == specs.ActNotify && slices.Contains(rule.Names, "write") {
			rule.Action = specs.ActTrap
		}
		rule.ErrnoRet = errno(rule.Action)
		for range rapid.SampledFrom([]int{0, 0, 0, 1, 1, 1, 2, 2, 3, 6}).Draw(t, "conditions") {
			rule.Args = append(rule.Args, specs.LinuxSeccompArg{
				Index:    uint(rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 3, 4, 5}).Draw(t, "index")),
				Value:    drawValue(t, nil),
				ValueTwo: drawValue(t, nil),
				Op:       specs.LinuxSeccompOperator(rapid.SampledFrom(Operators()).Draw(t, "operator")),
			})
		}
		s.Syscalls = append(s.Syscalls, rule)
	}
	return s
}

var testValues = []uint64{
	0, 1, 2, 3, 5, 38, 0xffff, 0x10001, 1 << 31, 1<<31 - 1, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1 << 63, 1<<63 - 1, 1<<64 - 1,
	0x7e020000, 0xffffffff00000000, 0x100000005, 0xdeadbeefcafebabe,
}

// drawValue prefers values that mean something, and neighbours of those that the profile compares
// with.
func drawValue(t *rapid.T, near []uint64) uint64 {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return rapid.Uint64().Draw(t, "value")
	case 1, 2, 3, 4:
		if len(near) == 0 {
			break
		}
		v := rapid.SampledFrom(near).Draw(t, "near")
		return rapid.SampledFrom([]uint64{v, v, v - 1, v + 1, v ^ 1<<32, v &^ 0xffffffff, v << 32}).Draw(t, "neighbour")
	}
	return rapid.SampledFrom(testValues).Draw(t, "value")
}

func drawCall(t *rapid.T, s *specs.LinuxSeccomp) *seccompData {
	d := &seccompData{}
	a := nativeArchitecture()
	if len(s.Architectures) != 0 && rapid.IntRange(0, 3).Draw(t, "other") != 0 {
		a = lookUpArchitecture(rapid.SampledFrom(s.Architectures).Draw(t, "arch"))
	} else if rapid.IntRange(0, 9).Draw(t, "foreign") == 0 {
		a = &architectures[rapid.IntRange(0, len(architectures)-1).Draw(t, "any arch")]
	}
	d.arch = a.audit
	var near []uint64
	name := rapid.SampledFrom(testNames).Draw(t, "name")
	if len(s.Syscalls) != 0 {
		rule := rapid.SampledFrom(s.Syscalls).Draw(t, "rule")
		if len(rule.Names) != 0 {
			name = rapid.SampledFrom(rule.Names).Draw(t, "name of rule")
		}
		for _, arg := range rule.Args {
			near = append(near, arg.Value, arg.ValueTwo, arg.Value|arg.ValueTwo)
		}
	}
	d.number = uint32(max(numberOf(a, name), 0))
	switch rapid.IntRange(0, 9).Draw(t, "number") {
	case 0:
		d.number = rapid.SampledFrom([]uint32{0, 1<<30 - 1, 1 << 30, 1<<30 + 1, 1 << 31, 3 << 30, 1<<32 - 2, 1<<32 - 1, 470, 600}).Draw(t, "odd number")
	case 1:
		d.number += uint32(rapid.IntRange(-2, 2).Draw(t, "neighbour"))
	}
	for i := range d.args {
		d.args[i] = drawValue(t, near)
	}
	if mux := numberOf(a, multiplexerOf(name)); mux >= 0 && rapid.Bool().Draw(t, "multiplexed") {
		index, _ := lookUpSyscall(name)
		call := uint64(multiplexedCalls[index] &^ ipcBit)
		d.number = uint32(mux)
		d.args[0] = rapid.SampledFrom([]uint64{call, call, call, call | 1<<16, call | 1<<32, call + 1}).Draw(t, "call")
	}
	return d
}

// FuzzProfile reads profiles as they come from an engine: whatever Compile takes, the kernel does.
func FuzzProfile(f *testing.F) {
	// Small seeds: go test minimizes what it finds, for a minute each if that is long. Docker's
	// profile is the other tests' business.
	f.Add([]byte(`{"defaultAction": "SCMP_ACT_ERRNO", "flags": ["SECCOMP_FILTER_FLAG_LOG"], "syscalls": [{"names": ["socket"],
		"action": "SCMP_ACT_NOTIFY", "args": [{"index": 1, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &specs.LinuxSeccomp{}
		if json.Unmarshal(text, s) != nil {
			return
		}
		filter, _, err := Compile(s)
		if err != nil || filter == nil {
			return
		}
		program := decode(filter.Instructions)
		if err := checkProgram(program); err != nil {
			t.Fatal(err)
		}
		r := read(s)
		for number := range uint32(500) {
			checkAnswer(t, r, program, &seccompData{number: number, arch: r.archs[0].audit, args: [6]uint64{1, 1 << 32, 40, 0, 2}})
		}
	})
}
