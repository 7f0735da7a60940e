package schema

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// platforms are the sections for other things than Linux containers: one row for each is enough.
var platforms = []string{"vm", "solaris", "windows", "zos", "freebsd"}

// properties lists every property of config.json, "process.user.uid", from the types of the
// specification.
func properties(t reflect.Type, at string) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
		return properties(t.Elem(), at)
	case reflect.Struct:
	default:
		return nil
	}
	var list []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" { // embedded
			list = append(list, properties(f.Type, at)...)
			continue
		}
		path := strings.TrimPrefix(at+"."+name, ".")
		list = append(list, path)
		if at != "" || !slices.Contains(platforms, name) {
			list = append(list, properties(f.Type, path)...)
		}
	}
	return list
}

var (
	row     = regexp.MustCompile(`(?m)^\| (.*?) \| (.*?) \| (.*?) \|$`)
	quoted  = regexp.MustCompile("`([^`]+)`")
	session = regexp.MustCompile(`([a-z0-9_-]+\.bats): ([^;|]+)`)
	unit    = regexp.MustCompile(`\b([a-z/0-9]+)\.(Test[A-Za-z0-9]+)`)
)

// TestConformanceTable holds docs/spec-conformance.md against the specification: it has each
// property, and the tests that it names exist.
func TestConformanceTable(t *testing.T) {
	text := read(t, "../../docs/spec-conformance.md")
	var documented []string
	for _, r := range row.FindAllStringSubmatch(text, -1) {
		for _, q := range quoted.FindAllStringSubmatch(r[1], -1) {
			documented = append(documented, q[1])
		}
		for _, s := range session.FindAllStringSubmatch(r[3], -1) {
			if name, text := strings.TrimSpace(s[2]), sessions(t, s[1]); !strings.Contains(text, `@test "`+name+`" {`) && !strings.Contains(text, `@test '`+name+`' {`) {
				t.Errorf("%s: there is no session %q in %s", r[1], strings.TrimSpace(s[2]), s[1])
			}
		}
		for _, u := range unit.FindAllStringSubmatch(r[3], -1) {
			if !hasTest(t, u[1], u[2]) {
				t.Errorf("%s: there is no %s in %s", r[1], u[2], u[1])
			}
		}
	}
	for _, p := range properties(reflect.TypeFor[specs.Spec](), "") {
		if !slices.Contains(documented, p) {
			t.Errorf("property %s is not in the table", p)
		}
	}
}

// sessions reads a file of sessions.
func sessions(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"integration", "security"} {
		if b, err := os.ReadFile(filepath.Join("..", dir, name)); err == nil {
			return string(b)
		}
	}
	return ""
}

// hasTest tells whether a package has a test.
func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	for _, dir := range []string{"../../libcontainer/internal/" + pkg, "../../internal/" + pkg, "../../libcontainer/" + pkg, "../../" + pkg, "../" + pkg} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.Contains(read(t, file), "func "+name+"(") {
				return true
			}
		}
	}
	return false
}
