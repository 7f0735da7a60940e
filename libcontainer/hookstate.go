package libcontainer

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/state"
)

// hookState is the state that hooks read on their standard input, config.md (POSIX-platform
// Hooks).
func hookState(r *state.Record, status specs.ContainerState, pid int) *specs.State {
	return &specs.State{
		Version: r.OCIVersion, ID: r.ID, Status: status, Pid: pid, Bundle: r.Bundle, Annotations: r.Annotations,
	}
}
