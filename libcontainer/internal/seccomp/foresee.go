package seccomp

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// Foresee tells what of a profile has no effect here: a name that is near a system call's, but
// isn't one; or what the host lacks, such as the socket of an agent. It is nil if there is nothing.
// Errors are a *specconv.FieldError.
func Foresee(s *specs.LinuxSeccomp) error {
	if s == nil {
		return nil
	}
	for i := range s.Syscalls {
		for j, name := range s.Syscalls[i].Names {
			if _, known := lookUpSyscall(name); known {
				continue
			}
			if hint := spelling.Hint(name, allSyscalls()); hint != "" {
				return entryField(i, fmt.Errorf("there is no system call %q%s", name, hint), "names", j)
			}
		}
	}
	if path := s.ListenerPath; path != "" && !strings.HasPrefix(path, "@") {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return specconv.Field("/linux/seccomp/listenerPath", err)
		}
	}
	return foreseeExec(s)
}

// foreseeExec tells whether a profile refuses execve(2), whatever its arguments: it is in force by
// the time that the program is to be executed.
func foreseeExec(s *specs.LinuxSeccomp) error {
	native := nativeArchitecture()
	p, err := readProfile(s)
	execve, known := lookUpSyscall("execve")
	if native == nil || err != nil || !known || s.DefaultAction == "" {
		return nil
	}
	number, _ := native.number(execve)
	spans, _ := p.judge(native)
	last, _ := slices.BinarySearchFunc(spans, number+1, func(s span, n uint32) int { return cmp.Compare(s.first, n) })
	v := spans[last-1].verdict
	if v.block != 0 {
		return nil // it depends on the arguments
	}
	switch v.ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE, unix.SECCOMP_RET_USER_NOTIF:
		return nil
	}
	return specconv.Fieldf("/linux/seccomp", "the profile refuses execve, by which the program is started: allow it in /linux/seccomp/syscalls")
}

func allSyscalls() []string {
	names := make([]string, syscallCount)
	for i := range names {
		names[i] = syscallName(i)
	}
	return names
}
