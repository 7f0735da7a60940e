// Package scripts tests the scripts that run the tests: what they hide, nobody sees.
package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// tree makes a directory with copies of scripts, and files.
func tree(t *testing.T, scripts []string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range scripts {
		text, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "tests", name), string(text), 0o755)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text, 0o755)
	}
	return dir
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
}

// parts are those that TestParts runs, as what they print.
const parts = `
good:
	@echo 'ok 1 fine in 12ms'
	@echo '--- PASS: TestLong (75.00s)'
bad:
	@printf '%s\n' '# tests/x as root' 'ok 1 slow one in 61234ms' 'not ok 2 broken in 20ms' '# said so' 'ok 3 skipped in 1ms # skip no disk'
	@exit 3
silent:
	@echo 'out of luck'; exit 1
hanging:
	@sleep 100
last:
	@echo 'ok 1 reached in 1ms'
`

// TestParts: a part that fails stops none, and the end says what failed and what was slow.
func TestParts(t *testing.T) {
	needs(t, "make", "bash")
	dir := tree(t, []string{"parts"}, map[string]string{"Makefile": parts})
	cmd := exec.Command(dir+"/tests/parts", "good", "bad", "silent", "hanging:1s", "last")
	cmd.Env = append(os.Environ(), "V=1")
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v", err)
	}
	_, end, _ := strings.Cut(string(out), "\nLonger than a minute:\n")
	for _, want := range []string{
		"    75 s  TestLong\n", "    61 s  tests/x as root: slow one\n",
		"\nWhat failed in bad:\n# tests/x as root\nnot ok 2 broken in 20ms\n# said so\n\n",
		"\nWhat failed in silent:\nout of luck\n", "\nWhat failed in hanging:\n",
		"\nfailed: bad silent hanging, of: good bad silent hanging last\n4 passed, 1 failed\n",
	} {
		if !strings.Contains(end, want) {
			t.Errorf("no %q at the end of:\n%s", want, out)
		}
	}
	cmd = exec.Command(dir+"/tests/parts", "last")
	cmd.Env = append(os.Environ(), "V=") // whatever the test itself runs under
	out, err = cmd.CombinedOutput()
	if want := "=== last\nok 1 reached in 1ms\n\nall passed: last\n"; err != nil || string(out) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}

// TestProbes: CRIU is asked once, and not for longer than the limit.
func TestProbes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("criu is for root: euid is", os.Geteuid())
	}
	needs(t, "bash", "flock")
	dir := tree(t, []string{"probes"}, map[string]string{
		"bin/criu": "#!/bin/sh\necho asked >>$ASKED\nsleep 100 & sleep 100\n",
	})
	env := append(os.Environ(), "PATH="+dir+"/bin:"+os.Getenv("PATH"), "ASKED="+dir+"/asked", "OCI_RUN_PROBES="+dir, "OCI_RUN_PROBE_LIMIT=1")
	for range 3 {
		cmd := exec.Command(dir+"/tests/probes", "criu")
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err == nil || string(out) != "criu: no answer within 1 s\n" {
			t.Errorf("%v: %q", err, out)
		}
	}
	if asked, err := os.ReadFile(dir + "/asked"); string(asked) != "asked\n" {
		t.Errorf("criu was asked: %q, %v", asked, err)
	}
	cmd := exec.Command(dir+"/tests/probes", "nonsense")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("an unknown probe: %v", err)
	}
}

// inherited is a session that fails if it gets anything of the caller's.
const inherited = `
@test "nothing is the caller's" {
	umask
	grep SigIgn /proc/self/status
	env
	[[ $(umask) == 0022 ]]
	# But for the C library's own two, 32 and 33, which GNU make leaves ignored and env(1) can't change.
	(((16#$(grep SigIgn /proc/self/status | cut -f 2) & ~(3 << 31)) == 0))
	[[ -z ${CALLERS:-} && -z ${NOTIFY_SOCKET:-} && $OCI_RUN_RACES == 7 ]]
	[[ $HOME == */home/$(id -un) && -w $HOME && -w $XDG_RUNTIME_DIR ]]
	run read -r
	((status == 1)) # the end of the input
}
`

func TestSessionsGetNothingOfTheCallers(t *testing.T) {
	needs(t, "bats", "bash")
	if err := exec.Command("env", "--default-signal", "true").Run(); err != nil {
		t.Skip("this env(1) can't restore signals: ", err)
	}
	dir := tree(t, []string{"sessions", "probes"}, map[string]string{
		"tests/integration/x.bats": inherited, "bin/oci-run": "", "contrib/completions/x": "", "docs/getting-started.md": "", "examples/x": "", "README.md": "",
	})
	cmd := exec.Command("/bin/sh", "-c", `umask 077; trap "" HUP INT QUIT TSTP USR1; exec "$0" tests/integration`, dir+"/tests/sessions")
	cmd.Env = append(os.Environ(), "CALLERS=x", "NOTIFY_SOCKET=/run/notify", "OCI_RUN_RACES=7")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nok 1 nothing is the caller's in ") {
		t.Errorf("%v:\n%s", err, out)
	}
}
