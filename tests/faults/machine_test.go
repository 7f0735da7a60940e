package faults

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// newMachine makes a bundle for a scenario.
func newMachine(t *testing.T, names map[int32]string, reaper *reaper, s *scenario, hooks bool) *machine {
	t.Helper()
	binary, err := filepath.Abs(cmp.Or(os.Getenv("OCI_RUN"), "../../bin/oci-run"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skipf("no binary to test (make build): %v", err)
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox here (Debian: apt-get install busybox-static)")
	}
	m := &machine{t: t, binary: binary, dir: t.TempDir(), names: names, reaper: reaper}
	m.id = fmt.Sprintf("faults-%d-%s", os.Getpid(), s.verb)
	for _, d := range []string{"bin", "dev", "proc", "sys"} {
		if err := os.MkdirAll(filepath.Join(m.dir, "rootfs", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	for _, applet := range []string{"echo", "sleep", "true"} {
		if err := os.WriteFile(filepath.Join(m.dir, "rootfs/bin", applet), program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := m.oci("spec"); err != nil {
		t.Fatalf("spec: %v: %s", err, out)
	}
	m.configure(s, hooks)
	return m
}

// configure changes what spec has written.
func (m *machine) configure(s *scenario, hooks bool) {
	m.t.Helper()
	path := filepath.Join(m.dir, "config.json")
	raw, err := os.ReadFile(path)
	var c map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	process := c["process"].(map[string]any)
	process["terminal"], process["args"] = false, s.program
	c["linux"].(map[string]any)["cgroupsPath"] = "/oci-run-tests-" + m.id
	if hooks {
		all := map[string]any{}
		for _, name := range []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"} {
			all[name] = []any{map[string]any{"path": "/bin/true"}}
		}
		c["hooks"] = all
	}
	if raw, err = json.Marshal(c); err == nil {
		err = os.WriteFile(path, raw, 0o644)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}
