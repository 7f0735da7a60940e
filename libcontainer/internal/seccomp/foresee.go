package seccomp

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
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
	for err := range unknownNames(s) {
		return err
	}
	if path := s.ListenerPath; path != "" && !strings.HasPrefix(path, "@") {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return specconv.Field("/linux/seccomp/listenerPath", err)
		}
	}
	return foreseeExec(s)
}

// Misspelt lists the names that are near a system call's, but aren't one. A profile that has that
// system call beside it has a newer one in mind, which is not known here: engines write profiles
// for kernels to come. Each is a *specconv.FieldError.
func Misspelt(s *specs.LinuxSeccomp) (list []error) {
	for err, name := range unknownNames(s) {
		if !slices.ContainsFunc(s.Syscalls, func(entry specs.LinuxSyscall) bool { return slices.Contains(entry.Names, name) }) {
			list = append(list, err)
		}
	}
	return list
}

// unknownNames yields an error for each name that is near a system call's, and that system call.
func unknownNames(s *specs.LinuxSeccomp) iter.Seq2[error, string] {
	return func(yield func(error, string) bool) {
		for i := range s.Syscalls {
			for j, name := range s.Syscalls[i].Names {
				if _, known := lookUpSyscall(name); known {
					continue
				}
				meant := spelling.Nearest(name, allSyscalls())
				if meant == "" {
					continue
				}
				err := entryField(i, fmt.Errorf("there is no system call %q (did you mean %q?)", name, meant), "names", j)
				if !yield(err, meant) {
					return
				}
			}
		}
	}
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
