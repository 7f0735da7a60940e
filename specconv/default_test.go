package specconv

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// mendingLoader loads the schema's files, in which a few references lack a slash.
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

// schema compiles the specification's own schema, which is part of the module that we take the types from.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-spec").Output()
	if err != nil {
		t.Skipf("no go command to find the schema with: %v", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	compiler.UseLoader(mendingLoader{})
	s, err := compiler.Compile(filepath.Join(strings.TrimSpace(string(out)), "schema", "config-schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaultFollowsSchema(t *testing.T) {
	schema := schema(t)
	rootless := Default()
	Rootless(rootless, 1000, 1001)
	for name, spec := range map[string]*specs.Spec{"default": Default(), "rootless": rootless} {
		raw, err := json.MarshalIndent(spec, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDefaultLoads(t *testing.T) {
	rootless := Default()
	Rootless(rootless, 1000, 1001)
	for _, spec := range []*specs.Spec{Default(), rootless} {
		b, err := Load(bundle(t, spec))
		if err != nil || len(b.Warnings) > 0 {
			t.Errorf("Load: %v, %v", b, err)
		}
	}
}

func TestRootless(t *testing.T) {
	s := Default()
	Rootless(s, 1000, 1001)
	for _, ns := range s.Linux.Namespaces {
		if ns.Type == specs.NetworkNamespace {
			t.Error("there is a network namespace")
		}
	}
	if s.Linux.Resources != nil || s.Linux.UIDMappings[0].HostID != 1000 || s.Linux.GIDMappings[0].HostID != 1001 {
		t.Errorf("linux: %+v", s.Linux)
	}
	for _, m := range s.Mounts {
		if m.Type == "sysfs" || strings.Contains(strings.Join(m.Options, ","), "gid=") {
			t.Errorf("mount: %+v", m)
		}
	}
}
