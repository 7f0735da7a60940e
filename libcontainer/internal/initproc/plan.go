package initproc

import (
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/capabilities"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/seccomp"
)

// Exec is what an exec is told beyond what a create is.
type Exec struct {
	Mount bool         // the container has a mount namespace
	PID   bool         // and a pid namespace
	Nproc *unix.Rlimit // RLIMIT_NPROC, which counts init too as long as it is there
}

// The names of fds that go with a plan.
const (
	StartChannel  = "start channel"    // unless the plan Starts, or is that of an exec
	StartingLock  = "starting"         // of a create with startContainer hooks
	ContainerInit = "container's init" // of an exec: a pidfd
	ConsoleSocket = "console socket"   // with a terminal
)

// PreparedMount is the name of what the parent has made for a mount in rootfs.Plan.Prepared.
func PreparedMount(index int) string { return "mount " + strconv.Itoa(index) }

// Plan is all that init applies, worked out by the parent. It is plain data, see package
// syncpipe. Fds go with it, by the names above.
type Plan struct {
	ID   string
	Exec *Exec // join a container that exists; then nothing of its root, hooks and hostname is set

	Root         rootfs.Plan
	Process      process.Plan
	Capabilities capabilities.Plan
	Labels       lsm.Plan
	Seccomp      *seccomp.Filter
	ExecRefused  seccomp.Verdict // by the profile, for the error
	Limited      bool            // a limit of memory may kill init before it executes its program
	Terminal     *console.Plan   // nil without a terminal

	UserNamespace   bool         // init is in a user namespace of the container
	CgroupNamespace string       // the pointer of the one to be made once init is in its cgroup, "" for none
	Loopback        bool         // a new network namespace, whose lo is to be set up
	Keyring         bool         // a session keyring of its own
	Starts          bool         // no start command follows: the parent has it go on once it has committed
	Trace           trace.Remote // whether to tell of each step
	PreserveFDs     int          // so many fds from 3 on are the program's

	Hostname   string
	Domainname string
	Sysctl     map[string]string

	RuntimeHooks bool // the parent has prestart or createRuntime hooks to run
	Hooks        specs.Hooks
	State        specs.State // what createContainer and startContainer hooks read, but for pid and status
}
