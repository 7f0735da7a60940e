// Package tricks builds oci-run without each of the tricks of docs/performance.md whose number
// doesn't depend on what else the machine does, and fails if a number is gone: then the trick goes
// as well. `make test-tricks` sets OCI_RUN_TRICKS; by itself only the first one is measured.
package tricks

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"oci-run/tests/isolation"
)

func TestMain(m *testing.M) { isolation.Main(m) }

const root = "../.."

// A trick is undone by another text in a file of the tree, or by other variables of the Makefile.
type trick struct {
	name          string
	file          string
	old, new      string
	variables     []string // of make
	faults, bytes int      // what is saved at least: page faults of the command, bytes of the binary,
	switches      int      // or times that its threads let go of the processor
	command       []string // of oci-run
	init          bool     // in a container that takes a second start of it
}

var (
	list = []string{"list", "--quiet"}
	run  = []string{"run", "tricks"}
)

// tricks have about half of what was measured, so that a page more or less doesn't matter.
var tricks = []trick{
	{
		name: "a plain command line is read by the tables", file: "internal/cli/command.go",
		old: "a.Plain(args)", new: "a.Plain(nil)", faults: 12, command: list,
	},
	{
		name: "the main goroutine's stack grows once", file: "internal/mainstack/mainstack.go",
		old: "func Grow() { reserve(false) }", new: "func Grow() {}", faults: 8, command: run,
	},
	{
		name: "the child borrows our memory", file: "libcontainer/internal/spawn/vfork.go",
		old: "canVfork = true", new: "canVfork = false", faults: 40, command: run,
	},
	{
		name: "init collects no garbage", file: "libcontainer/internal/initproc/init.go",
		old: `"GOMAXPROCS=1", "GOGC=off", `, faults: 10, command: run, init: true,
	},
	{
		name: "the runtime's monitor is calm", file: "internal/thread/monitor.go",
		old: "slack >= monitorSlack", new: "slack > 0", switches: 20, command: run,
	},
	{name: "the runtime begins with one processor", variables: []string{"ENTRY="}, faults: 15, command: list},
	{name: "no memory profile", variables: []string{"GODEBUG_DEFAULT=containermaxprocs=0,updatemaxprocs=0"}, faults: 3, command: list},
	{name: "fmt.Errorf is not inlined", variables: []string{"GCFLAGS="}, bytes: 25_000},
	{name: "functions begin at multiples of 4", variables: []string{"ALIGN="}, bytes: 60_000},
}

// build makes a binary, in memory: on a disk the pages of one may lie in larger pieces than
// another's.
func build(t *testing.T, dir, name string, without *trick) string {
	t.Helper()
	output := filepath.Join(dir, name)
	variables := []string{"-C", root, "--silent", "build", "BIN=" + output, "COMMIT=0"}
	cmd := exec.Command("make", variables...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS=") })
	if without != nil {
		cmd.Args = append(cmd.Args, without.variables...)
		if without.file != "" {
			cmd.Env = append(cmd.Env, "GOFLAGS=-overlay="+overlay(t, without))
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return output
}

// overlay is a file that has the go command read another text in the place of the trick's.
func overlay(t *testing.T, tr *trick) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, tr.file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), tr.old) {
		t.Fatalf("%s has no %q any more", tr.file, tr.old)
	}
	dir := t.TempDir()
	replaced, table := filepath.Join(dir, "replaced.go"), filepath.Join(dir, "overlay.json")
	content, err := json.Marshal(map[string]any{"Replace": map[string]string{path: replaced}})
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{replaced: strings.Replace(string(text), tr.old, tr.new, 1), table: string(content)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

// cost is the median of what a command and those that it waits for use of something.
func cost(t *testing.T, binary, bundle string, command []string, of func(*syscall.Rusage) int64) int {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(bundle, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	var all []int
	for range 15 {
		cmd := exec.Command(binary, append([]string{"--root", filepath.Join(bundle, "state")}, command...)...)
		cmd.Dir = bundle
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		all = append(all, int(of(usage)))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// bundle is one whose program ends at once. createContainer hooks are what a second start of
// oci-run is for.
func bundle(t *testing.T, dir, binary string, hooks bool) string {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox here (Debian: apt-get install busybox-static)")
	}
	b := filepath.Join(dir, "bundle")
	spec := `.process.args = ["/true"] | .process.terminal = false | .linux.cgroupsPath = "/oci-run-tests-tricks"`
	if hooks {
		spec += ` | .hooks.createContainer = [{path: "/bin/true"}]`
	}
	script := `mkdir -p "$1/rootfs" && cp "$2" "$1/rootfs/true" && cd "$1" && "$3" spec && jq "$4" config.json >new && mv new config.json`
	if out, err := exec.Command("sh", "-c", script, "sh", b, busybox, binary, spec).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return b
}

func TestTricksAreWorthIt(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "oci-run-tricks")
	if err != nil {
		t.Skip("no memory for files on /dev/shm: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	with := build(t, dir, "with", nil)
	measured := tricks
	if os.Getenv("OCI_RUN_TRICKS") == "" {
		measured = tricks[:1]
	}
	for i := range measured {
		tr := &measured[i]
		t.Run(tr.name, func(t *testing.T) { tr.measure(t, dir, with) })
	}
}

// measure compares the binary with one without the trick.
func (tr *trick) measure(t *testing.T, dir, with string) {
	without := build(t, dir, "without", tr)
	if tr.bytes > 0 {
		saved := size(t, without) - size(t, with)
		t.Logf("%d bytes of the binary", saved)
		if saved < tr.bytes {
			t.Errorf("it saves %d bytes of the binary, not %d", saved, tr.bytes)
		}
		return
	}
	b := dir
	if tr.command[0] == run[0] {
		if os.Geteuid() != 0 {
			t.Skip("effective uid is not 0")
		}
		b = bundle(t, t.TempDir(), with, tr.init)
	}
	what, least, of := "page faults", tr.faults, func(u *syscall.Rusage) int64 { return u.Minflt + u.Majflt }
	if tr.switches > 0 {
		what, least, of = "voluntary context switches", tr.switches, func(u *syscall.Rusage) int64 { return u.Nvcsw }
	}
	less, more := cost(t, with, b, tr.command, of), cost(t, without, b, tr.command, of)
	t.Logf("%d %s instead of %d", less, what, more)
	if more-less < least {
		t.Errorf("it saves %d %s of %d, not %d", more-less, what, more, least)
	}
}

func size(t *testing.T, binary string) int {
	t.Helper()
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Size())
}
