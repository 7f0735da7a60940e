package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// bundle makes one with the example beside this one, by the binary under test.
func bundle(t *testing.T, command ...string) string {
	t.Helper()
	binary, err := filepath.Abs("../../bin/oci-run")
	if err != nil {
		t.Fatal(err)
	}
	for _, needed := range []string{binary, "busybox", "jq", "bash"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("it takes %s to make a bundle: %v", needed, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "bundle")
	cmd := exec.Command("../nothing/make-bundle", append([]string{dir}, command...)...)
	cmd.Env = []string{"PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

func TestExample(t *testing.T) {
	program := filepath.Join(t.TempDir(), "example")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // libcontainer's init is static
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dir := bundle(t, "sh", "-c", "echo hello from $$; exit 7")
	cmd := exec.Command(program, dir, "libcontainer-example-"+filepath.Base(t.TempDir()))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
	out, _ := cmd.Output()
	if string(out) != "hello from 1\n" || stderr.Len() > 0 || cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("it printed %q and %q, and exited with %d", out, stderr.String(), cmd.ProcessState.ExitCode())
	}
}
