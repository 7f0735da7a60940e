package program

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/capabilities"
	"oci-run/libcontainer/internal/process"
	"oci-run/tests/fdleak"
)

// childEnv holds, for a re-exec'd test binary, the process that it shall become: specs.Process in
// JSON.
const childEnv = "OCI_RUN_TEST_PROGRAM"

func TestMain(m *testing.M) {
	raw := os.Getenv(childEnv)
	if raw == "" {
		fdleak.Main(m)
	}
	var p specs.Process
	err := json.Unmarshal([]byte(raw), &p)
	if err == nil {
		err = become(&p)
	}
	fmt.Println("error:", err)
	os.Exit(1)
}

// become makes this process the user that p asks for, in its working directory, and executes the
// program, as init does.
func become(p *specs.Process) error {
	plan, err := process.NewPlan(p, &specs.Spec{}, "/process")
	if err != nil {
		return err
	}
	available, err := capabilities.Permitted(false)
	if err != nil {
		return err
	}
	caps, _ := capabilities.NewPlan(p.Capabilities, available, "")
	dir, err := os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	root := process.Root{Dir: dir}
	plan.ResolveHome(root)
	l := calls.NewHere(-1)
	entering := plan.AddCwd(l, root)
	caps.AddBeforeUser(l, plan.UID)
	plan.AddUser(l, -1)
	if _, err := caps.AddAfterUser(l, false); err != nil {
		return err
	}
	entering.AddAgain(l)
	found, err := AddLookup(l, plan, root)
	if err != nil {
		return err
	}
	if err := l.Run(); err != nil {
		return err
	}
	found.Settle()
	l.Reset()
	found.AddExec(l, nil)
	return l.Run()
}

// runChild returns what the process prints, standard error included.
func runChild(t *testing.T, p *specs.Process, wrap ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("effective uid is not 0")
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := append(wrap, self)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{childEnv + "=" + string(raw)}
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.HasPrefix(string(out), "error: ") {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func openDir(t testing.TB, dir string) process.Root {
	t.Helper()
	f, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return process.Root{Dir: f}
}
