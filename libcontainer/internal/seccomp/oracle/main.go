//go:build libseccomp_oracle

// Command oracle compiles profiles with libseccomp, in the way in which runc does, for the tests of
// package seccomp to compare with. It is the only cgo in the tree, and never part of a build: see
// docs/design/seccomp.md.
//
// Each line of its input is a [question] as JSON, each line of its output the [answer].
package main

// #cgo LDFLAGS: -lseccomp
// #include <errno.h>
// #include <stdlib.h>
// #include <seccomp.h>
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// question asks for a profile's program, or else for the numbers of names on an architecture.
type question struct {
	Profile *specs.LinuxSeccomp
	Arch    specs.Arch
	Names   []string
}

// answer is a program as the kernel takes it, or numbers, which are negative for what is not there.
type answer struct {
	Program []byte
	Numbers []int
	Error   string
	Version string
	// Nanoseconds is how long libseccomp took.
	Nanoseconds int64
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		q := question{}
		if in.Decode(&q) != nil {
			return
		}
		a := answer{}
		if v := C.seccomp_version(); v != nil {
			a.Version = fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.micro)
		}
		if q.Profile == nil && token(q.Arch) == 0 {
			a.Error = "no such architecture: " + string(q.Arch)
		} else if q.Profile == nil {
			a.Numbers = numbers(q.Arch, q.Names)
		} else {
			start := time.Now()
			program, err := compile(q.Profile)
			a.Nanoseconds = time.Since(start).Nanoseconds()
			a.Program = program
			if err != nil {
				a.Error = err.Error()
			}
		}
		if out.Encode(&a) != nil {
			return
		}
	}
}

func numbers(arch specs.Arch, names []string) []int {
	found := make([]int, len(names))
	for i, name := range names {
		found[i] = int(withString(name, func(n *C.char) C.int { return C.seccomp_syscall_resolve_name_arch(token(arch), n) }))
	}
	return found
}

func withString(s string, f func(*C.char) C.int) C.int {
	c := C.CString(s)
	defer C.free(unsafe.Pointer(c))
	return f(c)
}

// token gives SCMP_ARCH_*, which libseccomp knows by the rest of the name in lower case.
func token(arch specs.Arch) C.uint32_t {
	c := C.CString(strings.ToLower(strings.TrimPrefix(string(arch), "SCMP_ARCH_")))
	defer C.free(unsafe.Pointer(c))
	return C.seccomp_arch_resolve_name(c)
}

// compile does what libcontainer of runc does with libseccomp, but without the part that answers
// ENOSYS.
func compile(s *specs.LinuxSeccomp) ([]byte, error) {
	fallback, err := action(s.DefaultAction, s.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	ctx := C.seccomp_init(fallback)
	if ctx == nil {
		return nil, errors.New("seccomp_init")
	}
	defer C.seccomp_release(ctx)
	for _, arch := range s.Architectures {
		if rc := C.seccomp_arch_add(ctx, token(arch)); rc != 0 && rc != -C.EEXIST {
			return nil, fmt.Errorf("seccomp_arch_add %s: %d", arch, rc)
		}
	}
	calls := 0
	for _, rule := range s.Syscalls {
		calls += len(rule.Names)
	}
	if calls > 32 {
		C.seccomp_attr_set(ctx, C.SCMP_FLTATR_CTL_OPTIMIZE, 2)
	}
	for _, rule := range s.Syscalls {
		act, err := action(rule.Action, rule.ErrnoRet)
		if err != nil {
			return nil, err
		}
		if act == fallback {
			continue
		}
		for _, name := range rule.Names {
			number := withString(name, func(n *C.char) C.int { return C.seccomp_syscall_resolve_name(n) })
			if number == C.__NR_SCMP_ERROR {
				continue
			}
			for _, conditions := range alternatives(rule.Args) {
				var first *C.struct_scmp_arg_cmp
				if len(conditions) > 0 {
					first = &conditions[0]
				}
				if rc := C.seccomp_rule_add_array(ctx, act, number, C.uint(len(conditions)), first); rc != 0 {
					return nil, fmt.Errorf("seccomp_rule_add %s: %d", name, rc)
				}
			}
		}
	}
	return export(ctx)
}

// alternatives are the condition lists of a rule: one, or one for each condition if an argument is
// in two of them.
func alternatives(args []specs.LinuxSeccompArg) [][]C.struct_scmp_arg_cmp {
	all := make([]C.struct_scmp_arg_cmp, 0, len(args))
	count, repeated := map[uint]int{}, false
	for _, arg := range args {
		all = append(all, C.struct_scmp_arg_cmp{
			arg: C.uint(arg.Index), op: operators[arg.Op], datum_a: C.scmp_datum_t(arg.Value), datum_b: C.scmp_datum_t(arg.ValueTwo),
		})
		count[arg.Index]++
		repeated = repeated || count[arg.Index] > 1
	}
	if !repeated {
		return [][]C.struct_scmp_arg_cmp{all}
	}
	var each [][]C.struct_scmp_arg_cmp
	for i := range all {
		each = append(each, all[i:i+1])
	}
	return each
}

var operators = map[specs.LinuxSeccompOperator]uint32{
	specs.OpNotEqual: C.SCMP_CMP_NE, specs.OpLessThan: C.SCMP_CMP_LT, specs.OpLessEqual: C.SCMP_CMP_LE, specs.OpEqualTo: C.SCMP_CMP_EQ,
	specs.OpGreaterEqual: C.SCMP_CMP_GE, specs.OpGreaterThan: C.SCMP_CMP_GT, specs.OpMaskedEqual: C.SCMP_CMP_MASKED_EQ,
}

func action(name specs.LinuxSeccompAction, errno *uint) (C.uint32_t, error) {
	data := C.uint32_t(syscall.EPERM)
	if errno != nil {
		data = C.uint32_t(*errno)
	}
	switch name {
	case specs.ActAllow:
		return C.SCMP_ACT_ALLOW, nil
	case specs.ActErrno:
		return 0x00050000 | data, nil
	case specs.ActKill, specs.ActKillThread:
		return C.SCMP_ACT_KILL_THREAD, nil
	case specs.ActKillProcess:
		return C.SCMP_ACT_KILL_PROCESS, nil
	case specs.ActLog:
		return C.SCMP_ACT_LOG, nil
	case specs.ActNotify:
		return C.SCMP_ACT_NOTIFY, nil
	case specs.ActTrace:
		return 0x7ff00000 | data, nil
	case specs.ActTrap:
		return C.SCMP_ACT_TRAP, nil
	}
	return 0, fmt.Errorf("action %q", name)
}

// export gives the program.
func export(ctx C.scmp_filter_ctx) ([]byte, error) {
	file, err := os.CreateTemp("", "oracle")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	os.Remove(file.Name())
	if rc := C.seccomp_export_bpf(ctx, C.int(file.Fd())); rc != 0 {
		return nil, fmt.Errorf("seccomp_export_bpf: %d", rc)
	}
	size, err := file.Seek(0, 1)
	if err != nil {
		return nil, err
	}
	program := make([]byte, size)
	_, err = file.ReadAt(program, 0)
	return program, err
}
