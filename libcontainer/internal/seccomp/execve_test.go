package seccomp

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestExecVerdict(t *testing.T) {
	entry := func(action specs.LinuxSeccompAction, errno *uint, names ...string) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: names, Action: action, ErrnoRet: errno}
	}
	conditional := entry(specs.ActErrno, nil, "execve")
	conditional.Args = []specs.LinuxSeccompArg{{Op: specs.OpEqualTo}}
	for name, c := range map[string]struct {
		profile *specs.LinuxSeccomp
		want    Verdict
	}{
		"none":      {nil, Verdict{}},
		"allowed":   {&specs.LinuxSeccomp{DefaultAction: specs.ActAllow}, Verdict{}},
		"logged":    {&specs.LinuxSeccomp{DefaultAction: specs.ActLog}, Verdict{}},
		"a default": {&specs.LinuxSeccomp{DefaultAction: specs.ActErrno}, Verdict{"/linux/seccomp/defaultAction", unix.EPERM, true}},
		"killed by default": {&specs.LinuxSeccomp{DefaultAction: specs.ActKillProcess},
			Verdict{"/linux/seccomp/defaultAction", 0, true}},
		"an entry": {&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			entry(specs.ActErrno, nil, "read"), entry(specs.ActErrno, new(uint(13)), "open", "execve"),
		}}, Verdict{"/linux/seccomp/syscalls/1/action", unix.EACCES, false}},
		"the first entry decides": {&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
			entry(specs.ActErrno, nil, "execve"), entry(specs.ActAllow, nil, "execve"), entry(specs.ActKillProcess, nil, "execve"),
		}}, Verdict{}},
		"conditions are passed over": {&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{conditional}}, Verdict{}},
	} {
		if got := ExecVerdict(c.profile); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
