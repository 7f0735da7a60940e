package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// sh makes a hook of a shell script.
func sh(script string, args ...string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: append([]string{"sh", "-c", script, "sh"}, args...), Env: []string{"PATH=/usr/bin:/bin"}}
}

func state(t *testing.T) *specs.State {
	t.Helper()
	return &specs.State{Version: "1.3.0", ID: "c1", Status: specs.StateCreating, Pid: 42, Bundle: t.TempDir(),
		Annotations: map[string]string{"a": "<&>"}}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestStateOnStdin(t *testing.T) {
	s := state(t)
	if err := Run(Prestart, []specs.Hook{sh("cat > out; pwd -P > dir")}, s); err != nil {
		t.Fatal(err)
	}
	var got specs.State
	if err := json.Unmarshal([]byte(read(t, s.Bundle+"/out")), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*s, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if dir := strings.TrimSpace(read(t, s.Bundle+"/dir")); dir != s.Bundle {
		t.Errorf("working directory: %s, want %s", dir, s.Bundle)
	}
}

// TestLargeState: more than a pipe holds must not block, whether the hook reads it or not.
func TestLargeState(t *testing.T) {
	s := state(t)
	s.Annotations["large"] = strings.Repeat("x", 1<<20)
	if err := Run(Prestart, []specs.Hook{sh("exit 0"), sh("wc -c > out")}, s); err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(s)
	if n := strings.TrimSpace(read(t, s.Bundle+"/out")); n != strconv.Itoa(len(raw)) {
		t.Errorf("the hook read %s bytes of %d", n, len(raw))
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("LD_PRELOAD_TEST", "leak")
	s := state(t)
	t.Chdir(s.Bundle) // what createContainer hooks get is their caller's
	list := []specs.Hook{
		{Path: "/bin/sh", Args: []string{"sh", "-c", "cat /proc/self/environ > empty"}},
		{Path: "/bin/sh", Args: []string{"sh", "-c", "cat /proc/self/environ > own"}, Env: []string{"A=1", "B=2"}},
	}
	if err := Run(CreateContainer, list, s); err != nil {
		t.Fatal(err)
	}
	// The shell itself sets PWD (and dash OLDPWD, _) for what it starts.
	if env := read(t, s.Bundle+"/empty"); strings.Contains(env, "LD_PRELOAD_TEST") || strings.Contains(env, "PATH=") {
		t.Errorf("environment of a hook without env: %q", env)
	}
	if env := read(t, s.Bundle+"/own"); !strings.Contains(env, "A=1\x00") || !strings.Contains(env, "B=2\x00") || strings.Contains(env, "leak") {
		t.Errorf("environment of a hook with env: %q", env)
	}
}

// TestInheritedEnvironment: only an absent list is ours, and only where a hook runs in our
// namespaces.
func TestInheritedEnvironment(t *testing.T) {
	t.Setenv("OF_THE_RUNTIME", "1")
	for name, inherits := range map[string]bool{
		Prestart: true, CreateRuntime: true, Poststart: true, Poststop: true, CreateContainer: false, StartContainer: false,
	} {
		s := state(t)
		t.Chdir(s.Bundle)
		show := []string{"sh", "-c", "cat /proc/self/environ > out"}
		for _, env := range [][]string{nil, {}} {
			if err := Run(name, []specs.Hook{{Path: "/bin/sh", Args: show, Env: env}}, s); err != nil {
				t.Fatal(err)
			}
			want := inherits && env == nil
			if got := strings.Contains(read(t, s.Bundle+"/out"), "OF_THE_RUNTIME"); got != want {
				t.Errorf("%s, env %#v: inherits %v", name, env, got)
			}
		}
	}
}

func TestWithEnv(t *testing.T) {
	list := []specs.Hook{{Path: "/a"}, {Path: "/b", Env: []string{}}, {Path: "/c", Env: []string{"X=1"}}}
	got := WithEnv(list, []string{"P=1"})
	want := []specs.Hook{{Path: "/a", Env: []string{"P=1"}}, {Path: "/b", Env: []string{}}, {Path: "/c", Env: []string{"X=1"}}}
	if diff := cmp.Diff(want, got); diff != "" || list[0].Env != nil {
		t.Errorf("WithEnv (-want +got):\n%s", diff)
	}
}

func TestArgv(t *testing.T) {
	s := state(t)
	list := []specs.Hook{
		{Path: "/bin/cat", Args: []string{"another name", "/proc/self/cmdline"}},
		{Path: "/bin/false"},
	}
	err := Run(Prestart, []specs.Hook{sh(`cat /proc/$$/cmdline | tr '\0' '|' > out`)}, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, s.Bundle+"/out"); !strings.HasPrefix(got, "sh|-c|") {
		t.Errorf("argv: %q", got)
	}
	err = Run(Prestart, list, s)
	if want := `error running prestart hook #1: "/bin/false": exit status 1`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		hook specs.Hook
		want string
	}{
		{specs.Hook{Path: "/nosuchhook"}, `exec "/nosuchhook": no such file or directory`},
		{specs.Hook{Path: "/etc/passwd"}, `exec "/etc/passwd": permission denied`},
		{sh("exit 3"), `"/bin/sh": exit status 3`},
		{sh("echo out; echo err >&2; exit 4"), `"/bin/sh": exit status 4, stdout: out, stderr: err`},
		{sh("kill -SYS $$"), `"/bin/sh": signal: bad system call`},
		{sh("kill -KILL $$"), `"/bin/sh": signal: killed`},
		{sh(`printf 'a\033[31mb\001\nc\r\t\377d' >&2; false`), "\"/bin/sh\": exit status 1, stderr: a[31mb\nc\td"},
		{sh("echo over > /dev/stderr; echo again > /dev/stderr; false"), "\"/bin/sh\": exit status 1, stderr: over\nagain"},
	} {
		err := Run(CreateRuntime, []specs.Hook{{Path: "/bin/true"}, c.hook}, state(t))
		var he *hookError
		if !errors.As(err, &he) || he.Index != 1 || he.Name != CreateRuntime || he.Path != c.hook.Path {
			t.Errorf("%v: %#v", c.hook, err)
			continue
		}
		got := strings.ReplaceAll(err.Error(), " (core dumped)", "")
		if want := "error running createRuntime hook #1: " + c.want; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestTailIsBounded(t *testing.T) {
	err := Run(Prestart, []specs.Hook{sh("i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done >&2; false")}, state(t))
	var ee *exitError
	if !errors.As(err, &ee) {
		t.Fatal(err)
	}
	if len(ee.Output) > maxTail+100 || !strings.HasSuffix(ee.Output, "line 29999") || !strings.HasPrefix(ee.Output, ", stderr: …") {
		t.Errorf("%d bytes of output: %.20q … %q", len(ee.Output), ee.Output, ee.Output[len(ee.Output)-20:])
	}
}

// TestTimeoutKillsGroup: the hook's children must go with it.
func TestTimeoutKillsGroup(t *testing.T) {
	s := state(t)
	h := sh("echo waiting >&2; sleep 1000 & echo $! > child; echo $$ > self; wait")
	one := 1
	h.Timeout = &one
	begin := time.Now()
	err := Run(Poststart, []specs.Hook{h}, s)
	var te *timeoutError
	if !errors.As(err, &te) || err.Error() != `error running poststart hook #0: "/bin/sh": timed out after 1s, stderr: waiting` {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(begin); took < time.Second || took > 8*time.Second {
		t.Errorf("took %s", took)
	}
	var child int
	if err := json.Unmarshal([]byte(read(t, s.Bundle+"/child")), &child); err != nil {
		t.Fatal(err)
	}
	waitGone(t, child)
}

// waitGone waits until a process that is not our child is dead: gone, or a zombie of whoever
// adopted it.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	t.Errorf("process %d outlived its group", pid)
}

func TestTimeoutNotReached(t *testing.T) {
	h := sh("sleep 0.2")
	ten := 10
	h.Timeout = &ten
	if err := Run(Prestart, []specs.Hook{h}, state(t)); err != nil {
		t.Error(err)
	}
}

// TestBackgroundChild: a process left behind with the hook's stderr is none of our business, but
// must not be waited for.
func TestBackgroundChild(t *testing.T) {
	for _, end := range []string{"true", "false"} {
		s := state(t)
		begin := time.Now()
		err := Run(Prestart, []specs.Hook{sh("sleep 60 & echo $! > child; echo words >&2; " + end)}, s)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
		if end == "true" && err != nil || end == "false" && (err == nil || !strings.HasSuffix(err.Error(), "stderr: words")) {
			t.Errorf("%s: %v", end, err)
		}
		var child int
		if err := json.Unmarshal([]byte(read(t, s.Bundle+"/child")), &child); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
			t.Errorf("the child was killed: %v", err)
		}
	}
}

func TestClosedStreams(t *testing.T) {
	if err := Run(Prestart, []specs.Hook{sh("exec <&- >&- 2>&-; sleep 0.1; exit 0")}, state(t)); err != nil {
		t.Error(err)
	}
}

func TestBundleOutOfReach(t *testing.T) {
	s := state(t)
	out := filepath.Join(s.Bundle, "out")
	s.Bundle = "/nosuchbundle"
	if err := Run(Poststop, []specs.Hook{sh(`pwd > "$1"`, out)}, s); err != nil {
		t.Fatal(err)
	}
	if dir := read(t, out); dir != "/\n" {
		t.Errorf("working directory: %q", dir)
	}
}

// TestStartContainerDir: the caller's directory, for the bundle's path is the container's affair
// there.
func TestStartContainerDir(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := Run(StartContainer, []specs.Hook{sh("pwd -P > out")}, state(t)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir+"/out"); got != dir+"\n" {
		t.Errorf("working directory: %q", got)
	}
}

func TestNoLeaks(t *testing.T) {
	s := state(t)
	dir := t.TempDir()
	before := openFiles(t)
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Run(Prestart, []specs.Hook{sh("for f in /proc/$$/fd/*; do readlink $f; done > out; true")}, s); err != nil {
		t.Fatal(err)
	}
	links := read(t, s.Bundle+"/out")
	if strings.Contains(links, dir+"\n") || strings.Count(links, "pipe:") > 3+inheritedPipes(t) || strings.Contains(links, "pidfd") {
		t.Errorf("the hook's descriptors: %s", links)
	}
	if err := Run(Prestart, []specs.Hook{{Path: "/nosuch"}}, s); err == nil {
		t.Error("no error")
	}
	if after := openFiles(t); after != before+1 {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// inheritedPipes counts those that whoever runs the tests has left open for all.
func inheritedPipes(t *testing.T) (n int) {
	t.Helper()
	for fd := 3; fd < 1024; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		link, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err == nil && flags&unix.FD_CLOEXEC == 0 && strings.HasPrefix(link, "pipe:") {
			n++
		}
	}
	return n
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestRunAll(t *testing.T) {
	var said, places []string
	warn := func(err error) { said, places = append(said, err.Error()), append(places, Pointer(err)) }
	s := state(t)
	RunAll(Poststop, []specs.Hook{sh("echo a >> out"), sh("exit 7"), {Path: "/nosuch"}, sh("echo b >> out")}, s, warn)
	if got := read(t, s.Bundle+"/out"); got != "a\nb\n" {
		t.Errorf("ran: %q", got)
	}
	for _, want := range []string{"error running poststop hook #1: ", "exit status 7", "error running poststop hook #2: "} {
		if !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("no warning has %q: %q", want, said)
		}
	}
	if want := []string{"/hooks/poststop/1", "/hooks/poststop/2/path"}; !slices.Equal(places, want) {
		t.Errorf("places %q, want %q", places, want)
	}
}

func TestLists(t *testing.T) {
	var h specs.Hooks
	for i, list := range []*[]specs.Hook{&h.Prestart, &h.CreateRuntime, &h.CreateContainer, &h.StartContainer, &h.Poststart, &h.Poststop} {
		*list = []specs.Hook{{Path: Names()[i]}}
	}
	for _, name := range Names() {
		if list := List(&h, name); len(list) != 1 || list[0].Path != name {
			t.Errorf("%s: %v", name, list)
		}
	}
	if List(nil, Prestart) != nil || List(&h, "other") != nil {
		t.Error("hooks from nowhere")
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("hello\n"), []byte("\x1b[2J\xff"))
	f.Add(bytes.Repeat([]byte("é"), 3000), []byte("x"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s := stream{fd: -1}
		s.keep(a)
		s.keep(b)
		if len(s.tail) > maxTail {
			t.Fatalf("kept %d bytes", len(s.tail))
		}
		if all := append(append([]byte{}, a...), b...); !bytes.HasSuffix(all, s.tail) {
			t.Fatal("the tail is not the end")
		}
		if strings.ContainsAny(s.text(), "\x1b\x00\r\x07") {
			t.Fatalf("text %q", s.text())
		}
	})
}

func BenchmarkRun(b *testing.B) {
	s := &specs.State{Bundle: "/"}
	for b.Loop() {
		if err := Run(Prestart, []specs.Hook{{Path: "/bin/true"}}, s); err != nil {
			b.Fatal(err)
		}
	}
}
