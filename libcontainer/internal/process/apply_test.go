package process

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/capabilities"
	"oci-run/tests/fdleak"
)

// childEnv holds, for a re-exec'd test binary, the config of the process that it shall become:
// specs.Spec in JSON.
const childEnv = "OCI_RUN_TEST_PROCESS"

func TestMain(m *testing.M) {
	raw := os.Getenv(childEnv)
	if raw == "" {
		fdleak.Main(m)
	}
	var spec specs.Spec
	err := json.Unmarshal([]byte(raw), &spec)
	if err == nil {
		err = become(&spec)
	}
	fmt.Println("error:", err)
	os.Exit(1)
}

// become does to this process what init does, in init's order, with the host's root as the
// container's unless spec has one.
func become(spec *specs.Spec) error {
	restoreNofile()
	p, err := NewPlan(spec.Process, spec, "/process")
	if err != nil {
		return err
	}
	available, err := capabilities.Permitted(false)
	if err != nil {
		return err
	}
	caps, _ := capabilities.NewPlan(spec.Process.Capabilities, available, "")
	if spec.Root != nil {
		if err := syscall.Chroot(spec.Root.Path); err != nil {
			return err
		}
	}
	dir, err := os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	root := Root{Dir: dir}
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return p.CreateCwd(root) },
		func() error { return calls.Here(func(l *calls.List) { p.AddOOMScore(l, proc, 0) }) },
		func() error {
			l := calls.NewHere(-1)
			AddKeyring(l, spec.Hostname, true, false)
			AddUndumpable(l)
			p.AddRlimits(l, 0)
			p.AddPriorities(l, false)
			return l.Run()
		},
		func() error {
			p.ResolveHome(root)
			l := calls.NewHere(-1)
			entering := p.AddCwd(l, root)
			caps.AddBeforeUser(l, p.UID)
			if err := p.AddStdio(l); err != nil {
				return err
			}
			p.AddUser(l, proc)
			if _, err := caps.AddAfterUser(l, false); err != nil {
				return err
			}
			entering.AddAgain(l)
			p.AddRest(l)
			return l.Run()
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := os.Setenv("PATH", p.Path); err != nil {
		return err
	}
	path, err := exec.LookPath(p.Args[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, p.Args, p.Env)
}

// runChild returns what the process prints, standard error included.
func runChild(t *testing.T, spec *specs.Spec, wrap ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("effective uid is not 0")
	}
	raw, err := json.Marshal(spec)
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

// shell is a process that runs a script.
func shell(script string) *specs.Process {
	return &specs.Process{Args: []string{"sh", "-c", script}, Cwd: "/", Env: []string{"PATH=/usr/bin:/bin"}}
}

func TestUser(t *testing.T) {
	p := shell(`id -u; id -g; id -G; umask; grep -E "^(Uid|Gid|Groups|NoNewPrivs)" /proc/self/status | tr -s ' \t' ' '; echo "$HOME"; tr '\0' '\n' < /proc/self/environ`)
	p.User = specs.User{UID: 12345, GID: 54321, AdditionalGids: []uint32{7, 100000}, Umask: new(uint32(0o27))}
	p.NoNewPrivileges = true
	p.Env = append(p.Env, "A=1", "B=2", "A=3")
	want := "12345\n54321\n54321 7 100000\n0027\nUid: 12345 12345 12345 12345\nGid: 54321 54321 54321 54321\nGroups: 7 100000 \nNoNewPrivs: 1\n/\n" +
		"PATH=/usr/bin:/bin\nB=2\nA=3\nHOME=/\n"
	if got := runChild(t, &specs.Spec{Process: p}); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	p = shell("id -u; id -G; umask; echo $HOME")
	if got := runChild(t, &specs.Spec{Process: p}); got != "0\n0\n0022\n/root\n" {
		t.Errorf("no groups: %s", got)
	}
}

// TestStdio opens standard output, a pipe that belongs to root, by its name.
func TestStdio(t *testing.T) {
	null, err := os.Stat("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	p := shell("echo fine > /proc/self/fd/1; stat -L -c %u:%g /proc/self/fd/0 /proc/self/fd/2")
	p.User = specs.User{UID: 12345, GID: 54321}
	want := fmt.Sprintf("fine\n%d:%d\n12345:0\n", null.Sys().(*syscall.Stat_t).Uid, null.Sys().(*syscall.Stat_t).Gid)
	if got := runChild(t, &specs.Spec{Process: p}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSetgroupsDenied runs in a user namespace that an unprivileged process made.
func TestSetgroupsDenied(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root: euid is", os.Geteuid())
	}
	p := shell("id -u")
	wrap := []string{"/usr/bin/setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "/usr/bin/unshare", "--map-root-user"}
	for _, tool := range []string{wrap[0], wrap[4]} {
		if _, err := os.Stat(tool); err != nil {
			t.Skip(err)
		}
	}
	// The test binary lies where only root may look.
	copied := filepath.Join("/var/tmp", fmt.Sprintf("oci-run-test-%d", os.Getpid()))
	if err := copyFile("/proc/self/exe", copied); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(copied)
	run := func() string {
		raw, err := json.Marshal(&specs.Spec{Process: p})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(wrap[0], append(wrap[1:], copied)...)
		cmd.Env = []string{childEnv + "=" + string(raw)}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	if got := run(); got != "0\n" {
		t.Errorf("no groups asked: %s", got)
	}
	p.User.AdditionalGids = []uint32{5}
	if got := run(); !strings.Contains(got, "set groups [5]: operation not permitted (the user namespace was made without") {
		t.Errorf("groups asked: %s", got)
	}
	p.User = specs.User{UID: 99}
	if got := run(); !strings.Contains(got, "set uid 99: invalid argument (an id that has no mapping") {
		t.Errorf("unmapped uid: %s", got)
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// TestRlimits runs below the caller's own limits, whatever these are.
func TestRlimits(t *testing.T) {
	limited := []string{"/bin/sh", "-c", `ulimit -Sn 200; exec "$0"`}
	p := shell("ulimit -Sn; ulimit -Hn; ulimit -Sc")
	hard := strings.Fields(runChild(t, &specs.Spec{Process: p}, limited...))[1]
	if got := runChild(t, &specs.Spec{Process: p}, limited...); !strings.HasPrefix(got, "200\n"+hard) {
		t.Errorf("the caller's limit is 200, the container's\n%s", got)
	}
	p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 120, Hard: 150}, {Type: "RLIMIT_CORE"}}
	if got := runChild(t, &specs.Spec{Process: p}, limited...); got != "120\n150\n0\n" {
		t.Errorf("own limits: %s", got)
	}
	p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 200, Hard: 200}}
	got := runChild(t, &specs.Spec{Process: p}, "/bin/sh", "-c", `ulimit -n 199; exec setpriv --bounding-set=-sys_resource --inh-caps=-all "$0"`)
	if want := "set RLIMIT_NOFILE to soft 200, hard 200: operation not permitted (the hard limit is 199, only CAP_SYS_RESOURCE can raise it)"; !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestRestoreNofile sees that a program which Go did not start has the original limit.
func TestRestoreNofile(t *testing.T) {
	var before, after syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	restoreNofile()
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &after); err != nil {
		t.Fatal(err)
	}
	t.Logf("soft limit %d with Go's change, %d without", before.Cur, after.Cur)
	if after.Max != before.Max || after.Cur > before.Cur {
		t.Errorf("%+v became %+v", before, after)
	}
}

func TestOOMScore(t *testing.T) {
	p := shell("cat /proc/self/oom_score_adj")
	inherited := runChild(t, &specs.Spec{Process: p}, "/bin/sh", "-c", `echo 77 > /proc/self/oom_score_adj; exec "$0"`)
	if inherited != "77\n" {
		t.Errorf("nothing asked: %s", inherited)
	}
	p.OOMScoreAdj = new(555)
	if got := runChild(t, &specs.Spec{Process: p}); got != "555\n" {
		t.Errorf("555 asked: %s", got)
	}
	// By the parent, for another process.
	cmd := exec.Command("/bin/sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	proc := int(openDir(t, "/proc").Dir.Fd())
	plan := Plan{OOMScoreAdj: new(333)}
	set := func(pid int) error { return calls.Here(func(l *calls.List) { plan.AddOOMScore(l, proc, pid) }) }
	if err := set(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if got, err := readFile(proc, fmt.Sprintf("%d/oom_score_adj", cmd.Process.Pid)); got != "333\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := set(1 << 22); err == nil || !strings.Contains(err.Error(), `write "333" to /proc/4194304/oom_score_adj: no such file`) {
		t.Error(err)
	}
}
