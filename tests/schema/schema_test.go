// Package schema holds what oci-run prints against the JSON schemas of runtime-spec, which are part
// of the module that its types come from.
package schema

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// mendingLoader loads the schemas' files, in which a few references lack a slash.
type mendingLoader struct{}

func (mendingLoader) Load(url string) (any, error) {
	path, err := jsonschema.FileLoader{}.ToFile(url)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(bytes.ReplaceAll(raw, []byte("#definitions/"), []byte("#/definitions/"))))
}

// follows checks a document against one of the schemas.
func follows(t *testing.T, name string, document []byte) {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-spec").Output()
	if err != nil {
		t.Skipf("no go command to find the schemas with: %v", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	compiler.UseLoader(mendingLoader{})
	schema, err := compiler.Compile(filepath.Join(strings.TrimSpace(string(out)), "schema", name))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	if err := schema.Validate(parsed); err != nil {
		t.Errorf("%v in %s", err, document)
	}
}

// ociRun runs the binary under test in a directory and returns what it prints.
func ociRun(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(binary(t), append([]string{"--root", filepath.Join(dir, "state")}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if args[0] == "create" { // its standard streams become the container's, and nobody may wait for their end
		cmd.Stderr, cmd.Stdout = nil, nil
		if err := cmd.Run(); err != nil {
			t.Fatalf("oci-run %s: %v", strings.Join(args, " "), err)
		}
		return nil
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("oci-run %s: %v: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("OCI_RUN")
	if path == "" {
		path = "../../bin/oci-run"
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no binary to test (make build): %v", err)
	}
	return path
}

func TestFeatures(t *testing.T) {
	out := ociRun(t, t.TempDir(), "features")
	follows(t, "features-schema.json", out)
	follows(t, "features-schema.json", ociRun(t, t.TempDir(), "features", "--host"))
	var known any
	if err := json.Unmarshal(out, &known); err != nil {
		t.Fatal(err)
	}
	if missing := unset(t, "", featuresOf(t), known); len(missing) > 0 {
		t.Errorf("features says nothing of %q", missing)
	}
}

// featuresOf has every member that the specification knows for features (features-linux.md).
func featuresOf(t *testing.T) any {
	t.Helper()
	raw, err := os.ReadFile("testdata/features.json")
	if err != nil {
		t.Fatal(err)
	}
	var fields any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// unset names the members of an object that another lacks.
func unset(t *testing.T, at string, want, have any) []string {
	t.Helper()
	object, isObject := want.(map[string]any)
	if !isObject {
		return nil
	}
	members, _ := have.(map[string]any)
	var missing []string
	for name, value := range object {
		if members[name] == nil {
			missing = append(missing, at+"/"+name)
			continue
		}
		missing = append(missing, unset(t, at+"/"+name, value, members[name])...)
	}
	return missing
}

func TestSpec(t *testing.T) {
	for _, options := range [][]string{nil, {"--rootless"}} {
		dir := t.TempDir()
		ociRun(t, dir, append([]string{"spec"}, options...)...)
		raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		follows(t, "config-schema.json", raw)
	}
}

// TestState follows the state through a container's life, as `state` and the hooks see it.
func TestState(t *testing.T) {
	dir, id := bundle(t, func(s *specs.Spec, dir string) {
		s.Process.Args = []string{"/bin/sleep", "1000"}
		s.Annotations = map[string]string{"org.example.key": "value"}
		tell := func(name string) []specs.Hook {
			return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "cat >" + filepath.Join(dir, name)}}}
		}
		s.Hooks = &specs.Hooks{
			Prestart: tell("prestart"), CreateRuntime: tell("createRuntime"), Poststart: tell("poststart"), Poststop: tell("poststop"), // deprecated, and in use
		}
	})
	var statuses []string
	check := func(raw []byte) {
		t.Helper()
		follows(t, "state-schema.json", raw)
		var s specs.State
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, string(s.Status))
		if s.ID != id || s.Bundle != dir || (s.Pid != 0) != (s.Status != specs.StateStopped) || s.Annotations["org.example.key"] != "value" {
			t.Errorf("state: %s", raw)
		}
	}
	written := func(hook string) {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(dir, hook))
		if err != nil {
			t.Fatal(err)
		}
		check(raw)
	}
	ociRun(t, dir, "create", id)
	written("prestart")
	written("createRuntime")
	check(ociRun(t, dir, "state", id))
	ociRun(t, dir, "start", id)
	written("poststart")
	check(ociRun(t, dir, "state", id))
	ociRun(t, dir, "kill", id, "KILL")
	for range 100 {
		if bytes.Contains(ociRun(t, dir, "state", id), []byte(`"stopped"`)) {
			break
		}
	}
	check(ociRun(t, dir, "state", id))
	ociRun(t, dir, "delete", id)
	written("poststop")
	want := []string{"creating", "creating", "created", "running", "running", "stopped", "stopped"}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

// bundle makes a bundle with a busybox, from what `spec` writes.
func bundle(t *testing.T, change func(s *specs.Spec, dir string)) (dir, id string) {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox here (Debian: apt-get install busybox-static)")
	}
	dir = t.TempDir()
	id = "schema-" + filepath.Base(filepath.Dir(dir))
	for _, d := range []string{"bin", "dev", "proc", "sys", "tmp", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, "rootfs", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	for _, applet := range []string{"busybox", "sh", "sleep"} {
		if err := os.WriteFile(filepath.Join(dir, "rootfs/bin", applet), program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := []string{"spec"}
	if os.Geteuid() != 0 {
		options = append(options, "--rootless")
	}
	ociRun(t, dir, options...)
	config := filepath.Join(dir, "config.json")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	s.Process.Terminal = false
	s.Linux.CgroupsPath = "/oci-run-tests-" + id
	change(&s, dir)
	if raw, err = json.MarshalIndent(&s, "", "\t"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command(binary(t), "--root", filepath.Join(dir, "state"), "delete", "--force", id).Run()
	})
	return dir, id
}
