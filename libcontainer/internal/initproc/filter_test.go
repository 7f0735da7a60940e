package initproc

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/program"
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
// It must not get it before the execve, for the filter kills at whatever call it makes.
func TestConfinementIsNotPreempted(t *testing.T) {
	for _, mode := range []string{"plain", "notify"} {
		t.Run(mode, func(t *testing.T) {
			if mode == "notify" && raceDetector {
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
// errno. With notify it is the listener that takes its time.
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
	image, err := program.Prepare("/no/such/program", []string{"x"}, []string{"x"})
	try(err)
	runtime.LockOSThread()
	try(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	f := &confinement{filter: filter.Prepare(), notify: notify}
	if notify {
		runtime.GOMAXPROCS(2)
		go slowMessenger(f)
		time.Sleep(10 * time.Millisecond)
	}
	defaultSignals()
	execAndExit(f, image)
}

func try(err error) {
	if err != nil {
		panic(err)
	}
}

func slowMessenger(f *confinement) {
	runtime.LockOSThread()
	for f.listener.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	f.done.Store(1)
}

//go:nosplit
func execAndExit(f *confinement, image *program.Image) {
	if !f.notify {
		for range 1 << 28 { // a tenth of a second
		}
	}
	errno, err := f.exec(image)
	if err != nil {
		errno = 99
	}
	syscall.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
}
