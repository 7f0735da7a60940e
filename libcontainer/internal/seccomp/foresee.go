package seccomp

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

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
	return nil
}

func allSyscalls() []string {
	names := make([]string, syscallCount)
	for i := range names {
		names[i] = syscallName(i)
	}
	return names
}
