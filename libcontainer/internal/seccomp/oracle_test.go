//go:build libseccomp_oracle

package seccomp

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// An oracle is a process that compiles profiles with libseccomp.
type oracle struct {
	in  *json.Encoder
	out *json.Decoder
}

type question struct {
	Profile *specs.LinuxSeccomp
	Arch    specs.Arch
	Names   []string
}

type answer struct {
	Program     []byte
	Numbers     []int
	Error       string
	Version     string
	Nanoseconds int64
}

func startOracle(t testing.TB) *oracle {
	program := filepath.Join(t.TempDir(), "oracle")
	build := exec.Command("go", "build", "-tags", "libseccomp_oracle", "-o", program, "./oracle")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return &oracle{json.NewEncoder(in), json.NewDecoder(out)}
}

func (o *oracle) ask(t rapid.TB, q *question) *answer {
	a := &answer{}
	if err := o.in.Encode(q); err != nil {
		t.Fatal(err)
	}
	if err := o.out.Decode(a); err != nil {
		t.Fatal(err)
	}
	return a
}

// Our numbers are libseccomp's, for each architecture and name that it knows.
func TestOracleNumbers(t *testing.T) {
	o := startOracle(t)
	names := make([]string, syscallCount)
	for i := range names {
		names[i] = syscallName(i)
	}
	same, unknown := 0, 0
	for i := range architectures {
		a := &architectures[i]
		answer := o.ask(t, &question{Arch: a.name, Names: names})
		if answer.Error != "" {
			t.Logf("%s: %s", answer.Version, answer.Error)
			continue
		}
		for j, name := range names {
			ours, theirs := numberOf(a, name), int64(answer.Numbers[j])
			switch {
			case theirs < 0 && theirs > -1000 && multiplexedCalls[j] != 0: // behind a multiplexer, or not there
				_, multiplexes := a.number(syscallSocketcall)
				if !multiplexes && ours >= 0 {
					t.Errorf("%s %s: libseccomp multiplexes", a.name, name)
				}
				same++
			case theirs < 0 && ours >= 0: // newer than that libseccomp
				t.Logf("%s %s is %d", a.name, name, ours)
				unknown++
			case theirs >= 0 && theirs != ours:
				t.Errorf("%s %s is %d, for libseccomp %d", a.name, name, ours, theirs)
			default:
				same++
			}
		}
	}
	t.Logf("%d the same, %d unknown to libseccomp", same, unknown)
}

// unknownTo gives the numbers of those calls that libseccomp does not know on an architecture.
func (o *oracle) unknownTo(t rapid.TB, a *architecture) map[uint32]bool {
	names := make([]string, syscallCount)
	for i := range names {
		names[i] = syscallName(i)
	}
	unknown := map[uint32]bool{}
	for i, n := range o.ask(t, &question{Arch: a.name, Names: names}).Numbers {
		if ours := numberOf(a, names[i]); n < 0 && ours >= 0 && multiplexedCalls[i] == 0 {
			unknown[uint32(ours)] = true
		}
	}
	return unknown
}

// withENOSYS adds to libseccomp's answer what runc puts in front of its filter.
func withENOSYS(r *reading, d *seccompData, theirs uint32) uint32 {
	if ours := r.answer(d); ours == retENOSYS {
		a := r.arch(d)
		if a != nil && (int64(d.number) > r.newest[a] || d.number == 0) {
			return ours
		}
	}
	return theirs
}

// The profile of each of testdata answers like libseccomp, for all numbers of the architectures
// that it names.
func TestOracleProfiles(t *testing.T) {
	o := startOracle(t)
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		s := readTestProfile(t, filepath.Base(file))
		theirs := o.ask(t, &question{Profile: s})
		if theirs.Error != "" {
			t.Fatalf("%s: %s", file, theirs.Error)
		}
		r, ours, program := read(s), compileForTest(t, s), decode(theirs.Program)
		calls, steps, theirSteps := 0, 0, 0
		for _, a := range r.archs {
			unknown := o.unknownTo(t, a)
			for number := range uint32(700) {
				if unknown[number|a.base] {
					continue
				}
				for _, args := range argumentsOf(s) {
					d := &seccompData{number | a.base, a.audit, args}
					got, n := interpret(ours, d, a.bigEndian)
					want, m := interpret(program, d, a.bigEndian)
					calls, steps, theirSteps = calls+1, steps+n, theirSteps+m
					if want = withENOSYS(r, d, want); got != want {
						t.Fatalf("%s: %s %d %#x: we say %#x, libseccomp %#x", file, a.name, number, args, got, want)
					}
				}
			}
		}
		t.Logf("%s: %d calls the same; %d instructions, libseccomp %s %d; on average %.1f steps, libseccomp %.1f; libseccomp takes %d µs",
			file, calls, len(ours), theirs.Version, len(program), float64(steps)/float64(calls), float64(theirSteps)/float64(calls), theirs.Nanoseconds/1000)
	}
}

// argumentsOf gives argument lists around the values that a profile compares with.
func argumentsOf(s *specs.LinuxSeccomp) [][6]uint64 {
	values := []uint64{0, 1, 2, 3, 5, 1 << 32, 1<<64 - 1}
	for _, rule := range s.Syscalls {
		for _, arg := range rule.Args {
			for _, v := range []uint64{arg.Value, arg.Value - 1, arg.Value + 1, arg.Value | 1<<32, arg.ValueTwo} {
				if !slices.Contains(values, v) {
					values = append(values, v)
				}
			}
		}
	}
	var lists [][6]uint64
	for _, v := range values {
		lists = append(lists, [6]uint64{v, v, v, v, v, v}, [6]uint64{v}, [6]uint64{0, v}, [6]uint64{0, 0, v}, [6]uint64{v, 0, v})
	}
	return lists
}

// TestOracleRandom counts for how many calls under random profiles libseccomp agrees: all, but for
// libseccomp's own errors. 2.5.4 loses rules when it merges several for one call, which changed 31
// of 365,000 answers, many of them under the same few profiles: three in a hundred may be such.
func TestOracleRandom(t *testing.T) {
	o := startOracle(t)
	counts := map[string]int{}
	unknown := map[*architecture]map[uint32]bool{}
	for i := range architectures {
		if a := &architectures[i]; o.ask(t, &question{Arch: a.name}).Error == "" {
			unknown[a] = o.unknownTo(t, a)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := drawProfile(t)
		simplify(s)
		theirs := o.ask(t, &question{Profile: s})
		if theirs.Error != "" {
			counts["refused: "+theirs.Error[:12]]++
			return
		}
		r, ours, program := read(s), compileForTest(t, s), decode(theirs.Program)
		before := counts["differ"]
		for range inputsPerProfile {
			d := drawCall(t, s)
			a := r.arch(d)
			if a == nil || d.number>>30 > 1 || unknown[a][d.number] {
				continue
			}
			got, _ := interpret(ours, d, a.bigEndian)
			want, _ := interpret(program, d, a.bigEndian)
			if want = withENOSYS(r, d, want); got != want {
				counts[difference(a, d)]++
				if os.Getenv("ORACLE_STOP") != "" && difference(a, d) == "differ" {
					text, _ := json.Marshal(s)
					t.Fatalf("%s\n%s %d %#x: we say %#x, libseccomp %#x", text, a.name, d.number, d.args, got, want)
				}
			} else {
				counts["agree"]++
			}
		}
		if counts["profiles"]++; counts["differ"] > before {
			counts["profiles that differ"]++
		}
	})
	for _, k := range slices.Sorted(mapsKeys(counts)) {
		t.Logf("%-30s %d", k, counts[k])
	}
	if differ, all := counts["profiles that differ"], counts["profiles"]; differ > 2+all/100 || counts["agree"] == 0 {
		t.Errorf("libseccomp differs under %d of %d profiles", differ, all)
	}
}

func mapsKeys(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func difference(a *architecture, d *seccompData) string {
	for _, mux := range []string{"socketcall", "ipc"} {
		if int64(d.number) == numberOf(a, mux) {
			return "differ behind a multiplexer"
		}
	}
	return "differ"
}

// simplify avoids what libseccomp 2.5.4 gets wrong, or leaves to its internal order:
//   - rules with different actions for a call;
//   - a name that one of the architectures lacks: its rule gets a negative number there, and the load of the number may
//     get lost with it;
//   - several conditions with an order on one argument of a call: it merges the comparisons of their upper halves.
func simplify(s *specs.LinuxSeccomp) {
	forms := []*architecture{lookUpArchitecture(specs.ArchX86), lookUpArchitecture(specs.ArchX86_64), lookUpArchitecture(specs.ArchX32)}
	s.Architectures = slices.DeleteFunc(s.Architectures, func(name specs.Arch) bool {
		return !slices.Contains(forms, lookUpArchitecture(name))
	})
	for i := range s.Syscalls {
		rule := &s.Syscalls[i]
		if os.Getenv("ORACLE_ORDER") == "" && (i > 0 || len(rule.Args) > 1) {
			for j := range rule.Args {
				if op := rule.Args[j].Op; op != specs.OpNotEqual && op != specs.OpMaskedEqual {
					rule.Args[j].Op = specs.OpEqualTo
				}
			}
		}
		rule.Action, rule.ErrnoRet = s.Syscalls[0].Action, s.Syscalls[0].ErrnoRet
		rule.Names = slices.DeleteFunc(rule.Names, func(name string) bool {
			return slices.ContainsFunc(forms, func(a *architecture) bool { return numberOf(a, name) < 0 && multiplexerOf(name) == "" })
		})
	}
	s.Syscalls = slices.DeleteFunc(s.Syscalls, func(rule specs.LinuxSyscall) bool {
		return len(rule.Names) == 0 || rule.Action == specs.ActNotify && slices.Contains(rule.Names, "write")
	})
	if plainReturn(s.DefaultAction, s.DefaultErrnoRet) == uint32(unix.SECCOMP_RET_ERRNO|4095) {
		s.DefaultErrnoRet = new(uint(1)) // libseccomp takes 4094 at most
	}
}

// BenchmarkCall times calls under no filter, ours and libseccomp's for Docker's profile. The kernel
// remembers that getppid is always allowed; personality's argument is tested each time, and
// sethostname is always refused.
func BenchmarkCall(b *testing.B) {
	s := readTestProfile(b, "docker.json")
	ours, _, err := Compile(s)
	if err != nil {
		b.Fatal(err)
	}
	theirs := startOracle(b).ask(b, &question{Profile: s})
	for _, call := range []string{"getppid", "personality", "sethostname"} {
		for _, filter := range []struct {
			name    string
			program []byte
		}{{"none", nil}, {"ours", ours.Instructions}, {"libseccomp", theirs.Program}} {
			b.Run(call+"/"+filter.name, func(b *testing.B) {
				cmd := exec.Command("/proc/self/exe")
				cmd.Env = append(os.Environ(), childVariable+"=loop", "CALL="+call, "PROGRAM="+hex.EncodeToString(filter.program))
				out, err := cmd.Output()
				if err != nil {
					b.Fatal(err)
				}
				ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(ns, "ns/call")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
