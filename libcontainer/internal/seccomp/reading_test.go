package seccomp

import (
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A reading is a profile read plainly: no graph, no ranges, one rule after the other. It is what
// the compiler is measured against, and shares with it only the tables of numbers.
type reading struct {
	s     *specs.LinuxSeccomp
	archs []*architecture
	// numbers are, for each architecture, those of each name of each rule.
	numbers map[*architecture][][]int64
	newest  map[*architecture]int64
}

func read(s *specs.LinuxSeccomp) *reading {
	r := &reading{s: s, numbers: map[*architecture][][]int64{}, newest: map[*architecture]int64{}}
	for i := range architectures {
		a := &architectures[i]
		if a.goarch == runtime.GOARCH || slices.Contains(s.Architectures, a.name) {
			r.archs = append(r.archs, a)
			r.resolve(a)
		}
	}
	return r
}

func (r *reading) resolve(a *architecture) {
	r.newest[a] = -1
	for _, rule := range r.s.Syscalls {
		numbers := make([]int64, len(rule.Names))
		for i, name := range rule.Names {
			numbers[i] = numberOf(a, name)
			r.newest[a] = max(r.newest[a], numbers[i])
			r.newest[a] = max(r.newest[a], numberOf(a, multiplexerOf(name)))
		}
		r.numbers[a] = append(r.numbers[a], numbers)
	}
}

// multiplexerOf gives the call behind which a call may be, if any.
func multiplexerOf(name string) string {
	if index, known := lookUpSyscall(name); !known || multiplexedCalls[index] == 0 {
		return ""
	}
	if strings.HasPrefix(name, "sem") || strings.HasPrefix(name, "msg") || strings.HasPrefix(name, "shm") {
		return "ipc"
	}
	return "socketcall"
}

// numberOf gives the number of a name, or -1.
func numberOf(a *architecture, name string) int64 {
	if index, known := lookUpSyscall(name); known {
		if n, exists := a.number(index); exists {
			return int64(n)
		}
	}
	return -1
}

// arch tells by what rules the kernel's data is judged: nil if by none.
func (r *reading) arch(d *seccompData) *architecture {
	for _, a := range r.archs {
		if a.audit != d.arch {
			continue
		}
		if d.arch != unix.AUDIT_ARCH_X86_64 || (a.name == specs.ArchX32) == (d.number >= 1<<30) {
			return a
		}
	}
	return nil
}

// answer is what the profile says of a system call.
func (r *reading) answer(d *seccompData) uint32 {
	fallback := plainReturn(r.s.DefaultAction, r.s.DefaultErrnoRet)
	a := r.arch(d)
	if a == nil {
		native := slices.ContainsFunc(r.archs, func(a *architecture) bool { return a.name == specs.ArchX86_64 })
		if d.arch == unix.AUDIT_ARCH_X86_64 && native && d.number == 1<<32-1 {
			return fallback // a tracer's way to skip a call
		}
		return unix.SECCOMP_RET_KILL_THREAD
	}
	strict := !slices.Contains([]specs.LinuxSeccompAction{specs.ActAllow, specs.ActLog, specs.ActTrace}, r.s.DefaultAction)
	if strict && r.newest[a] >= 0 && int64(d.number) > r.newest[a] {
		return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	}
	if strict && d.number == 0 && (a.name == specs.ArchS390 || a.name == specs.ArchS390X) {
		return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	}

	found, strictest := false, fallback
	consider := func(ret uint32) {
		if !found || stricter(ret, strictest) {
			found, strictest = true, ret
		}
	}
	for i, rule := range r.s.Syscalls {
		ret := plainReturn(rule.Action, rule.ErrnoRet)
		if ret == fallback {
			continue
		}
		if slices.Contains(r.numbers[a][i], int64(d.number)) {
			always, holds := plainMatch(&rule, a, d)
			if always {
				return ret
			}
			if holds {
				consider(ret)
			}
		}
	}
	if ret, says := r.behindMultiplexer(a, d, fallback); says {
		consider(ret)
	}
	return strictest
}

// behindMultiplexer is what the rules say of the call that socketcall or ipc is asked for.
func (r *reading) behindMultiplexer(a *architecture, d *seccompData, fallback uint32) (ret uint32, says bool) {
	name := ""
	switch int64(d.number) {
	case numberOf(a, "socketcall"):
		calls := []string{
			"", "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv",
			"sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg",
		}
		if call := uint32(d.args[0]); int64(call) < int64(len(calls)) {
			name = calls[call]
		}
	case numberOf(a, "ipc"):
		calls := map[uint16]string{
			1: "semop", 2: "semget", 3: "semctl", 4: "semtimedop", 11: "msgsnd", 12: "msgrcv", 13: "msgget", 14: "msgctl",
			21: "shmat", 22: "shmdt", 23: "shmget", 24: "shmctl",
		}
		name = calls[uint16(d.args[0])]
	}
	if name == "" {
		return 0, false
	}
	ret = fallback
	for _, rule := range r.s.Syscalls {
		own := plainReturn(rule.Action, rule.ErrnoRet)
		if own == fallback || !slices.Contains(rule.Names, name) {
			continue
		}
		if always, _ := plainMatch(&rule, a, d); always {
			return own, true
		}
		if stricter(own, ret) {
			ret = own
		}
	}
	return ret, ret != fallback
}

// plainMatch tells whether a rule holds for the arguments, and whether it does so for any.
func plainMatch(rule *specs.LinuxSyscall, a *architecture, d *seccompData) (always, holds bool) {
	if len(rule.Args) == 0 {
		return true, true
	}
	count := map[uint]int{}
	repeated := false
	for _, arg := range rule.Args {
		count[arg.Index]++
		repeated = repeated || count[arg.Index] > 1
	}
	idle, held := 0, 0
	for _, arg := range rule.Args {
		i, h := plainCompare(&arg, a, d)
		if i {
			idle++
		}
		if h {
			held++
		}
	}
	if repeated {
		return idle > 0, held > 0
	}
	return idle == len(rule.Args), held == len(rule.Args)
}

// plainCompare tells whether a condition holds, and whether it tests nothing.
func plainCompare(arg *specs.LinuxSeccompArg, a *architecture, d *seccompData) (idle, holds bool) {
	actual, value, two := d.args[arg.Index], arg.Value, arg.ValueTwo
	if a.bits32 {
		actual, value, two = uint64(uint32(actual)), uint64(uint32(value)), uint64(uint32(two))
	}
	switch arg.Op {
	case specs.OpEqualTo:
		return false, actual == value
	case specs.OpNotEqual:
		return false, actual != value
	case specs.OpLessThan:
		return false, actual < value
	case specs.OpLessEqual:
		return false, actual <= value
	case specs.OpGreaterThan:
		return false, actual > value
	case specs.OpGreaterEqual:
		return false, actual >= value
	case specs.OpMaskedEqual:
		return value == 0, actual&value == two&value
	}
	panic(arg.Op)
}

func plainReturn(action specs.LinuxSeccompAction, errno *uint) uint32 {
	data := uint32(unix.EPERM)
	if errno != nil {
		data = uint32(*errno)
	}
	switch action {
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | data
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | data
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP
	}
	panic(action)
}

// stricter compares return values by the order of seccomp(2).
func stricter(a, b uint32) bool {
	order := []uint32{
		unix.SECCOMP_RET_KILL_PROCESS, unix.SECCOMP_RET_KILL_THREAD, unix.SECCOMP_RET_TRAP, unix.SECCOMP_RET_ERRNO,
		unix.SECCOMP_RET_USER_NOTIF, unix.SECCOMP_RET_TRACE, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_ALLOW,
	}
	return slices.Index(order, a&0xffff0000) < slices.Index(order, b&0xffff0000)
}
