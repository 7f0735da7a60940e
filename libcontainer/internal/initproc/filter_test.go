package initproc

import (
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/seccomp"
	"oci-run/tests/fdleak"
)

const confinedEnv = "OCI_RUN_TEST_CONFINED"

func TestMain(m *testing.M) {
	if mode := os.Getenv(confinedEnv); mode != "" {
		confined(mode == "notify")
	}
	fdleak.Main(m)
}

// TestConfinementIsNotPreempted: the scheduler wants its turn of a thread that has run for 10 ms.
// It must not get it between the filter and the execve, for the filter kills at whatever call it
// makes. The list waits in between: for a thread without the filter, or for one that hands over its
// listener.
func TestConfinementIsNotPreempted(t *testing.T) {
	for _, mode := range []string{"plain", "notify"} {
		t.Run(mode, func(t *testing.T) {
			if raceDetector {
				t.Skip("with the race detector, atomic loads are functions at whose entry the scheduler may come in")
			}
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(Env(), confinedEnv+"="+mode)
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != int(unix.ENOENT) {
				t.Errorf("%v\n%s\nwant exit status %d, the errno of execve", err, out, unix.ENOENT)
			}
		})
	}
}

// confined executes what doesn't exist under a filter that allows execve, and exit_group for the
// errno.
func confined(notify bool) {
	profile := &specs.LinuxSeccomp{
		DefaultAction: specs.ActKillProcess,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"execve", "exit_group"}, Action: specs.ActAllow}},
	}
	if notify {
		profile.ListenerPath = "/agent"
		profile.Syscalls = append(profile.Syscalls, specs.LinuxSyscall{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActNotify})
	}
	filter, _, err := seccomp.Compile(profile)
	try(err)
	runtime.LockOSThread()
	try(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	defaults := calls.NewHere(-1)
	addDefaultSignals(defaults)
	try(defaults.Run())
	l := calls.NewHere(-1)
	addSlowLoad(l, filter)
	l.Do(unix.SYS_EXECVE, l.Text("/no/such/program"), l.Vector([]string{"x"}), l.Vector([]string{"x"})).Expect = []unix.Errno{unix.ENOENT}
	l.Do(unix.SYS_EXIT_GROUP, uintptr(unix.ENOENT))
	try(l.Run())
}

// addSlowLoad loads the filter, and waits for a tenth of a second.
func addSlowLoad(l *calls.List, filter *seccomp.Filter) {
	handover, err := seccomp.NewHandover()
	try(err)
	done := new(atomic.Uint32)
	if filter.Notify {
		handover.AddLoad(l, filter)
	} else {
		l.Add(filter.Load(l))
		l.Do(calls.Await, uintptr(unsafe.Pointer(done)), 1)
	}
	runtime.GOMAXPROCS(2)
	go func() {
		runtime.LockOSThread()
		if filter.Notify {
			handover.Listener(func() bool { return false })
		}
		time.Sleep(100 * time.Millisecond)
		handover.Done()
		done.Store(1)
	}()
	time.Sleep(10 * time.Millisecond)
}

func try(err error) {
	if err != nil {
		panic(err)
	}
}
