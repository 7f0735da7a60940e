package libcontainer

import (
	"errors"

	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/criu"
	"oci-run/libcontainer/internal/sdnotify"
	"oci-run/libcontainer/internal/selfexe"
	"oci-run/libcontainer/internal/state"
	"oci-run/libcontainer/internal/syncpipe"
)

// Errors that callers tell apart.
var (
	// ErrNotExist says that no container has the ID.
	ErrNotExist = state.ErrNotExist
	// ErrExist says that a container has the ID already.
	ErrExist = state.ErrExist
	// ErrGone says that the last process of a container has ended.
	ErrGone = cgroups.ErrGone
)

// FailedPath is the path of the file that an error of a container's process is about, "" if it is
// about none or not such an error.
func FailedPath(err error) string {
	if failure, ok := errors.AsType[*syncpipe.Failure](err); ok {
		return failure.Path
	}
	return ""
}

// The values of [Factory.CgroupDriver]: who makes the cgroups.
const (
	DriverCgroupfs = cgroups.DriverCgroupfs // this process, through the cgroup file system
	DriverSystemd  = cgroups.DriverSystemd  // systemd, as scopes
	DriverDisabled = cgroups.DriverDisabled // nobody: the container stays in the caller's
)

// Stats is what a container has used of its resources.
type Stats = cgroups.Stats

// PSI tells in how much of the time processes of a container waited for a resource.
type PSI = cgroups.PSIStats

// CheckpointOptions is what a checkpoint or a restore asks of CRIU.
type CheckpointOptions = criu.Options

// CheckSeal refuses a value of [CreateOptions.Seal] that does not exist.
func CheckSeal(seal string) error { return selfexe.Check(seal) }

// NotifyVariable is the variable of the environment that holds the address of the service manager
// to which [Readiness.Forward] reports (sd_notify(3)).
const NotifyVariable = sdnotify.Variable

// SocketActivation tells how many sockets a service manager has handed to this process, from
// descriptor 3 on, and which variables tell the container's process of them (sd_listen_fds(3)).
func SocketActivation(getenv func(string) string) (n int, env []string, err error) {
	return sdnotify.Activation(getenv)
}
