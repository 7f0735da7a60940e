package seccomp

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Name gives the name of a system call of the native architecture, "" if it has none.
func Name(number uintptr) string {
	a := nativeArchitecture()
	if a == nil {
		return ""
	}
	for i := range syscallCount {
		if n, exists := a.number(i); exists && uintptr(n) == number {
			return syscallName(i)
		}
	}
	return ""
}

// Summary is a compiled profile for people.
type Summary struct {
	Instructions  int      `json:"instructions"` // of BPF
	Architectures []string `json:"architectures"`
	Default       string   `json:"default"`
	// Actions say how many system calls get each action that is not the default: "SCMP_ACT_ALLOW:
	// 310 system calls, 12 of them with conditions".
	Actions  []string `json:"actions"`
	Unknown  []string `json:"unknown,omitempty"` // names that no Linux has
	Flags    []string `json:"flags,omitempty"`
	Listener string   `json:"listener,omitempty"`
}

// Summarize tells what a filter is made of. It is nil without a filter.
func Summarize(f *Filter, s *specs.LinuxSeccomp) *Summary {
	if f == nil {
		return nil
	}
	sum := &Summary{Instructions: f.Len(), Default: string(s.DefaultAction), Actions: []string{}, Listener: f.ListenerPath}
	p := &profile{}
	_ = p.readArchitectures(s.Architectures) // it has been compiled
	for _, a := range p.architectures {
		sum.Architectures = append(sum.Architectures, string(a.name))
	}
	for _, flag := range s.Flags {
		sum.Flags = append(sum.Flags, string(flag))
	}
	for i := range actions {
		sum.count(&actions[i], s)
	}
	return sum
}

// count adds what is said of an action.
func (sum *Summary) count(a *action, s *specs.LinuxSeccomp) {
	names, conditional := 0, 0
	for i := range s.Syscalls {
		entry := &s.Syscalls[i]
		if entry.Action != a.name || a.name == s.DefaultAction && entry.ErrnoRet == nil {
			continue
		}
		for _, name := range entry.Names {
			if _, known := lookUpSyscall(name); !known {
				sum.Unknown = append(sum.Unknown, name)
				continue
			}
			names++
			if len(entry.Args) > 0 {
				conditional++
			}
		}
	}
	switch {
	case conditional > 0:
		sum.Actions = append(sum.Actions, fmt.Sprintf("%s: %d system calls, %d of them with conditions", a.name, names, conditional))
	case names > 0:
		sum.Actions = append(sum.Actions, fmt.Sprintf("%s: %d system calls", a.name, names))
	}
}
