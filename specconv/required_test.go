package specconv

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// schemas are the files of the specification's JSON schema, parsed.
type schemas struct {
	t     *testing.T
	dir   string
	files map[string]map[string]any
}

// schemaOf finds the schema in the module that the types come from.
func schemaOf(t *testing.T) *schemas {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-spec").Output()
	if err != nil {
		t.Skipf("no go command to find the schema with: %v", err)
	}
	return &schemas{t, filepath.Join(strings.TrimSpace(string(out)), "schema"), map[string]map[string]any{}}
}

func (s *schemas) file(name string) map[string]any {
	if parsed := s.files[name]; parsed != nil {
		return parsed
	}
	raw, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	var parsed map[string]any
	if err := json.Unmarshal(raw, &parsed); err != nil {
		s.t.Fatal(err)
	}
	s.files[name] = parsed
	return parsed
}

// resolve follows "file#/a/b" to the part of a schema, and tells its file.
func (s *schemas) resolve(file, ref string) (string, map[string]any) {
	name, path, _ := strings.Cut(ref, "#")
	if name == "" {
		name = file
	}
	node := s.file(name)
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") { // a few references lack the slash
		node, _ = node[part].(map[string]any)
	}
	if node == nil {
		s.t.Fatalf("no %s in %s", ref, file)
	}
	return name, node
}

// instance makes a document with all that a part of the schema has, and notes the pointers of what
// it requires.
func (s *schemas) instance(file string, node map[string]any, at string, required map[string]bool) any {
	if ref, ok := node["$ref"].(string); ok {
		name, target := s.resolve(file, ref)
		return s.instance(name, target, at, required)
	}
	for _, name := range listOf(node["required"]) {
		required[at+Pointer(name)] = true
	}
	object := map[string]any{}
	for _, word := range []string{"allOf", "anyOf"} {
		parts, _ := node[word].([]any)
		for _, part := range parts {
			if made, ok := s.instance(file, part.(map[string]any), at, required).(map[string]any); ok {
				maps.Copy(object, made)
			}
		}
	}
	properties, _ := node["properties"].(map[string]any)
	for name, part := range properties {
		if at != "" || !slices.Contains([]string{"solaris", "windows", "vm", "zos", "freebsd"}, name) {
			object[name] = s.instance(file, part.(map[string]any), at+Pointer(name), required)
		}
	}
	if part, ok := node["additionalProperties"].(map[string]any); ok {
		object["key"] = s.instance(file, part, at+"/key", required)
	}
	if items, ok := node["items"].(map[string]any); ok {
		return []any{s.instance(file, items, at+"/0", required)}
	}
	return leaf(node, object)
}

func leaf(node, object map[string]any) any {
	switch node["type"] {
	case "string":
		return "c"
	case "integer":
		return 1
	case "boolean":
		return true
	}
	return object
}

func listOf(list any) (names []string) {
	entries, _ := list.([]any)
	for _, name := range entries {
		names = append(names, name.(string))
	}
	return names
}

// TestRequired takes each property that the specification requires out of a config.json that has
// all, and makes it null: the error names it.
func TestRequired(t *testing.T) {
	s := schemaOf(t)
	pointers := map[string]bool{}
	whole := s.instance("config-schema.json", s.file("config-schema.json"), "", pointers)
	// The schema leaves these out, which are REQUIRED in the text.
	for _, pointer := range []string{
		"/process/ioPriority/priority", "/linux/devices/0/major", "/linux/devices/0/minor",
		"/linux/personality/domain", "/linux/memoryPolicy/mode", "/linux/resources/blockIO/throttleReadBpsDevice/0/rate",
		"/linux/resources/blockIO/throttleWriteBpsDevice/0/rate", "/linux/resources/blockIO/throttleReadIOPSDevice/0/rate",
		"/linux/resources/blockIO/throttleWriteIOPSDevice/0/rate",
	} {
		pointers[pointer] = true
	}
	delete(pointers, "/linux/resources/pids/limit") // OPTIONAL in the text
	delete(pointers, "/process/cwd")                // by value: TestCheckProcess
	if _, err := Decode(marshal(t, whole), new(specs.Spec)); err != nil || len(pointers) < 50 {
		t.Fatalf("%d properties: %v in %s", len(pointers), err, marshal(t, whole))
	}
	for _, pointer := range slices.Sorted(maps.Keys(pointers)) {
		for _, null := range []bool{false, true} {
			raw := marshal(t, whole)
			refusesWithout(t, raw, pointer, null)
		}
	}
}

// refusesWithout decodes a document without one of its members.
func refusesWithout(t *testing.T, raw []byte, pointer string, null bool) {
	t.Helper()
	var document any
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(pointer[1:], "/")
	last := len(parts) - 1
	at := document
	for _, part := range parts[:last] {
		if list, ok := at.([]any); ok {
			at = list[0]
			continue
		}
		at = at.(map[string]any)[part]
	}
	if delete(at.(map[string]any), parts[last]); null {
		at.(map[string]any)[parts[last]] = nil
	}
	_, err := Decode(marshal(t, document), new(specs.Spec))
	var fe *FieldError
	if !errors.As(err, &fe) || fe.Pointer != pointer || !strings.Contains(fe.Error(), "is missing") {
		t.Errorf("without %s (null: %v): %v", pointer, null, err)
	}
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestRequiredNames: each entry of the list is a type of the specification that has these
// properties.
func TestRequiredNames(t *testing.T) {
	seen := map[string]reflect.Type{}
	var visit func(reflect.Type)
	visit = func(at reflect.Type) {
		switch at.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(at.Elem())
		case reflect.Struct:
			if seen[at.Name()] == nil {
				seen[at.Name()] = at
				for field := range at.Fields() {
					visit(field.Type)
				}
			}
		}
	}
	visit(reflect.TypeFor[specs.Spec]())
	for _, r := range required {
		if seen[r.object] == nil {
			t.Errorf("config.json has no %s", r.object)
		}
	}
}

// TestRequiredExceptions are those of the specification's text.
func TestRequiredExceptions(t *testing.T) {
	for raw, want := range map[string]string{
		`{"linux":{"devices":[{"type":"p","path":"/dev/p"}]}}`:                               "",
		`{"linux":{"devices":[{"type":"c","path":"/dev/p","major":1}]}}`:                     "/linux/devices/0/minor: is missing",
		`{"linux":{"devices":[{"path":"/dev/p","major":1,"minor":1}]}}`:                      "/linux/devices/0/type: is missing",
		`{"process":{"consoleSize":{}}}`:                                                     "",
		`{"process":{"terminal":true,"consoleSize":{"height":1}}}`:                           "/process/consoleSize/width: is missing",
		`{"process":{"ioPriority":{"class":"IOPRIO_CLASS_IDLE"}}}`:                           "",
		`{"process":{"ioPriority":{"class":"IOPRIO_CLASS_RT"}}}`:                             "/process/ioPriority/priority: is missing",
		`{"process":{"user":null},"linux":{"seccomp":null}}`:                                 "",
		`{"linux":{"seccomp":{"defaultAction":"a","syscalls":[null]}}}`:                      "/linux/seccomp/syscalls/0/names: is missing",
		`{"linux":{"resources":{"devices":[null]}}}`:                                         "/linux/resources/devices/0/allow: is missing",
		`{"linux":{"resources":{"devices":[{"allow":false}]}}}`:                              "",
		`{"linux":{"resources":{"pids":{}}},"mounts":[{"destination":"/a"}]}`:                "",
		`{"linux":{"seccomp":{"defaultAction":"a","syscalls":[{"name":"x","action":"a"}]}}}`: `/linux/seccomp/syscalls/0/names: is missing`,
	} {
		raw = `{"ociVersion":"1.0.0",` + raw[1:]
		_, err := Decode([]byte(raw), new(specs.Spec))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
}

// TestMeant: a property that is misspelled is named as what was meant by the one that is missing.
func TestMeant(t *testing.T) {
	for raw, want := range map[string]string{
		`{"ociversion":"1.0.0"}`:                                                                                  `/ociVersion: is missing (is "ociversion" meant?)`,
		`{"ociVersion":"1.0.0","root":{"paht":"r"}}`:                                                              `/root/path: is missing (is "paht" meant?)`,
		`{"ociVersion":"1.0.0","rooot":{"path":"r"}}`:                                                             `/root: is missing (is "rooot" meant?)`,
		`{"ociVersion":"1.0.0","root":{"path":"r"},"process":{"cdw":"/","args":["a"]}}`:                           `/process/cwd: is missing (is "cdw" meant?)`,
		`{"ociVersion":"1.0.0","linux":{"seccomp":{"defaultAction":"a","syscalls":[{"name":"x","action":"a"}]}}}`: `/linux/seccomp/syscalls/0/names: is missing (is "name" meant?)`,
	} {
		s, err := Parse([]byte(raw))
		if err == nil {
			_, err = checkSpec(s)
		}
		if err = locateIn(configName, []byte(raw), err); err == nil || err.Error() != "config.json: "+want {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
}

// TestFoldedNames: a property in other capitals has no effect, but a warning.
func TestFoldedNames(t *testing.T) {
	raw := []byte(`{"ociVersion":"1.0.0","Hostname":"a","linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"},"SECCOMP":null,"ſeccomp":null}}`)
	var s specs.Spec
	warnings, err := Decode(raw, &s)
	if err != nil || s.Linux.Seccomp == nil || s.Hostname != "" {
		t.Fatalf("%+v, %v", s, err)
	}
	want := []string{
		`/Hostname: ignored: the property is called "hostname"`, `/linux/SECCOMP: ignored: the property is called "seccomp"`,
		`/linux/ſeccomp: ignored: the property is called "seccomp"`,
	}
	if got := texts(warnings, unplaced); !slices.Equal(got, want) {
		t.Errorf("warnings: %q", got)
	}
}
