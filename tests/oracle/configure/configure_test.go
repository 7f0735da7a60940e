// Package configure holds what `oci-run configure` changes of an engine's file against libraries
// that read the whole of it: of random documents, only what is meant to changes.
package configure

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"oci-run/internal/configure"
	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

const rounds = 500

// apply has the request done to a text, and returns what comes of it.
func apply(t *testing.T, r *configure.Request, text string) (string, error) {
	t.Helper()
	r.Config = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(r.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	change, err := configure.Plan(r)
	if err != nil {
		return "", err
	}
	return change.After(), nil
}

// under is the table at a path of a document, which is made where there is none.
func under(document map[string]any, names ...string) map[string]any {
	for _, name := range names {
		next, ok := document[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			document[name] = next
		}
		document = next
	}
	return document
}

// writer writes random documents.
type writer struct {
	*rand.Rand
	out  strings.Builder
	eol  string
	step string
}

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

// noise is what means nothing: comments and empty lines.
func (w *writer) noise() {
	for w.IntN(3) == 0 {
		w.out.WriteString(w.one("", "# comment", "  # [crio.runtime]", "#runtime = \"x\"", "\t") + w.eol)
	}
}

// key is a name as it may be written.
func (w *writer) key(name string) string {
	plain := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == ""
	if plain && w.IntN(4) > 0 {
		return name
	}
	return w.one(`"`+name+`"`, "'"+name+"'")
}

func (w *writer) path(names []string) string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = w.key(name)
	}
	return strings.Join(keys, w.one(".", ".", " . "))
}

// value is a random one, with what looks like something else in it.
func (w *writer) value(depth int) string {
	switch w.IntN(9) {
	case 0:
		return w.one("true", "false", "0x1F", "-1_000", "3.14e-2", "+inf", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00.5", "07:32:00")
	case 1:
		return w.one(`""`, `''`, `"a # b"`, `'c:\d'`, `"\"]\u00e9\\"`, `"[crio.runtime]"`)
	case 2:
		return `"""` + w.one("", "x\n[crio.runtime]\na = 1\n", `q "" q `+"\n", `e \""" e`, "f \\\n  g") + w.one(`"""`, `""""`, `"""""`)
	case 3:
		return `'''` + w.one("", "y\n[engine]\n", `"""`) + `'''`
	case 4, 5:
		if depth > 2 {
			return "[]"
		}
		var parts []string
		for range w.IntN(4) {
			parts = append(parts, w.value(depth+1)+w.one("", " ", "\n", " # ],\n"))
		}
		return w.one("[", "[ ", "[\n  ") + strings.Join(parts, w.one(",", ", ", ",\n ")) + w.one("]", "\n]")
	case 6:
		if depth > 2 {
			return "{}"
		}
		inner := w.value(3)
		if strings.Contains(inner, "\n") { // an inline table is on one line
			inner = "1"
		}
		return "{ a = " + inner + ", 'b' . c = 1 }"
	}
	return w.one(`"plain"`, "7")
}

// table writes a heading and some values.
func (w *writer) table(indent string, names []string, values ...string) {
	w.noise()
	fmt.Fprintf(&w.out, "%s[%s%s%s]%s%s", indent, w.one("", " "), w.path(names), w.one("", " "), w.one("", " # [x]"), w.eol)
	w.values(indent+w.step, values)
}

// values writes those that are given, which may be left out, among others.
func (w *writer) values(indent string, given []string) {
	line := func(text string) {
		w.noise()
		w.out.WriteString(indent + text + w.one("", " ", " # comment") + w.eol)
	}
	for i := range w.IntN(3) {
		line(w.one("", "dotted . ") + fmt.Sprintf("extra%d", i) + w.one(" = ", "=", "\t=\t") + w.value(0))
	}
	for _, v := range given {
		if w.IntN(2) == 0 {
			line(v)
		}
	}
}

// random is a document in which some tables of an engine are, written in some way.
func random(r *rand.Rand, tables [][]string, values map[string][]string) string {
	w := &writer{Rand: r, eol: "\n", step: []string{"", "", "  ", "\t"}[r.IntN(4)]}
	if r.IntN(8) == 0 {
		w.eol = "\r\n"
	}
	w.values("", values[""])
	for i := range w.IntN(2) {
		w.table("", []string{fmt.Sprintf("before%d", i), "x-1"})
	}
	for _, names := range tables {
		if w.IntN(3) > 0 {
			w.table(strings.Repeat(w.step, len(names)-1), names, values[strings.Join(names, " ")]...)
		}
	}
	for range w.IntN(3) {
		w.noise()
		w.out.WriteString("[[several]]" + w.eol)
		w.values("", []string{"runtimes = 1"})
		if w.IntN(2) == 0 {
			w.table(w.step, []string{"several", "below"})
		}
	}
	text := w.out.String()
	if r.IntN(8) == 0 {
		text = strings.TrimRight(text, "\r\n")
	}
	return text
}

// held does a request to documents, and holds the result against what the values should become.
func held(t *testing.T, r configure.Request, make func(*rand.Rand) string, read func([]byte, any) error, meant func(document map[string]any)) {
	t.Helper()
	done := 0
	for seed := range uint64(rounds) {
		text := make(rand.New(rand.NewPCG(seed, 1)))
		var before, after map[string]any
		if err := read([]byte(text), &before); err != nil {
			t.Fatalf("seed %d: the test's own document: %v\n%s", seed, err, text)
		}
		changed, err := apply(t, &r, text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if err := read([]byte(changed), &after); err != nil {
			t.Fatalf("seed %d: %v\n%s\n--- became\n%s", seed, err, text, changed)
		}
		if before == nil {
			before = map[string]any{}
		}
		meant(before)
		if d := cmp.Diff(before, after); d != "" {
			t.Fatalf("seed %d (-meant +done):\n%s\n%s\n--- became\n%s", seed, d, text, changed)
		}
		remains(t, text, changed)
		done++
	}
	t.Logf("%d documents", done)
}

// remains is an error if a line with a comment is gone.
func remains(t *testing.T, before, after string) {
	t.Helper()
	for line := range strings.Lines(before) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") && strings.Count(after, line) < strings.Count(before, line) {
			t.Fatalf("the comment %q is gone:\n%s\n--- became\n%s", line, before, after)
		}
	}
}

func TestCRIO(t *testing.T) {
	tables := [][]string{
		{"crio"}, {"crio", "runtime"}, {"crio", "runtime", "runtimes"}, {"crio", "runtime", "runtimes", "crun"}, {"crio", "runtime", "runtimes", "oci-run"},
		{"crio", "image"},
	}
	values := map[string][]string{
		"crio runtime": {`default_runtime = 'crun'`}, "crio runtime runtimes crun": {`runtime_path = "/usr/bin/crun"`},
		"crio runtime runtimes oci-run": {`runtime_path = "/old"`, `runtime_type = 'oci'`},
	}
	held(t, configure.Request{Engine: "crio", Name: "oci-run", Binary: "/a b/é", Default: true},
		func(r *rand.Rand) string { return random(r, tables, values) }, toml.Unmarshal, func(d map[string]any) {
			under(d, "crio", "runtime")["default_runtime"] = "oci-run"
			own := under(d, "crio", "runtime", "runtimes", "oci-run")
			own["runtime_path"], own["runtime_type"], own["runtime_root"] = "/a b/é", "oci", "/run/oci-run"
		})
}

func TestContainers(t *testing.T) {
	tables := [][]string{{"containers"}, {"engine"}, {"engine", "runtimes"}, {"network"}}
	values := map[string][]string{
		"engine":          {"runtime = \"crun\"", "runtime_supports_json = [\n  \"a\", # one\n  'b' # two\n]", `runtime_supports_nocgroup = []`},
		"engine runtimes": {`crun = ["/usr/bin/crun"]`, `"oci-run" = ["/old", "/older"]`},
	}
	list := func(d map[string]any, name string, usual ...any) {
		has, ok := d[name].([]any)
		if !ok {
			has = usual
		}
		d[name] = append(has, "oci-run")
	}
	held(t, configure.Request{Engine: "podman", Name: "oci-run", Binary: "/bin/x", Default: true},
		func(r *rand.Rand) string { return random(r, tables, values) }, toml.Unmarshal, func(d map[string]any) {
			engine := under(d, "engine")
			engine["runtime"] = "oci-run"
			list(engine, "runtime_supports_json", "crun", "runc", "kata", "runsc", "youki", "krun")
			list(engine, "runtime_supports_nocgroup", "crun", "krun")
			under(engine, "runtimes")["oci-run"] = []any{"/bin/x"}
		})
}

func TestContainerd(t *testing.T) {
	const plugin = "io.containerd.cri.v1.runtime"
	cri := []string{"plugins", plugin, "containerd"}
	runtimes := append(cri[:3:3], "runtimes")
	tables := [][]string{
		{"grpc"}, {"plugins"}, {"plugins", plugin}, cri, runtimes, append(runtimes[:4:4], "runc"), append(runtimes[:4:4], "runc", "options"),
		append(runtimes[:4:4], "oci-run"), append(runtimes[:4:4], "oci-run", "options"), {"plugins", "other"},
	}
	const shim = "io.containerd.runc.v2"
	values := map[string][]string{
		strings.Join(cri, " "): {`default_runtime_name = "runc"`}, strings.Join(runtimes, " ") + " runc options": {"SystemdCgroup = true"},
		strings.Join(runtimes, " ") + " oci-run": {"runtime_type = '" + shim + "'"}, strings.Join(runtimes, " ") + " oci-run options": {"BinaryName = ''", "Root = '/x'"},
	}
	held(t, configure.Request{Engine: "containerd", Name: "oci-run", Binary: "/bin/x"},
		func(r *rand.Rand) string { return "version = 3\n" + random(r, tables, values) }, toml.Unmarshal, func(d map[string]any) {
			all, ok := under(d, cri...)["runtimes"].(map[string]any)
			all2 := under(d, runtimes...)
			if !ok {
				under(all2, "runc")["runtime_type"] = shim
			}
			own := under(all2, "oci-run")
			own["runtime_type"] = shim
			under(own, "options")["BinaryName"] = "/bin/x"
			if options, ok := all["runc"].(map[string]any); ok {
				if options, ok := options["options"].(map[string]any); ok && options["SystemdCgroup"] == true {
					under(own, "options")["SystemdCgroup"] = true
				}
			}
		})
}

// randomJSON is a value of JSON in some layout.
func randomJSON(r *rand.Rand, depth int, value func(depth int) any) string {
	v := value(depth)
	text, err := json.Marshal(v)
	if r.IntN(3) > 0 {
		text, err = json.MarshalIndent(v, "", []string{"  ", "    ", "\t", ""}[r.IntN(4)])
	}
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestDocker(t *testing.T) {
	document := func(r *rand.Rand) string {
		var value func(depth int) any
		value = func(depth int) any {
			switch n := r.IntN(8); {
			case depth == 0 || n < 2:
				object := map[string]any{}
				for i := range r.IntN(4) {
					object[[]string{"a", "b}", "c,:", "ü"}[i]] = value(depth + 1)
				}
				return object
			case n < 4 && depth < 4:
				return []any{value(depth + 1), "}", map[string]any{"runtimes": value(depth + 1)}}
			}
			return []any{nil, true, -1.5e9, "\"\\{", "", "x"}[r.IntN(6)]
		}
		return randomJSON(r, 0, func(int) any {
			d := value(0).(map[string]any)
			if r.IntN(2) == 0 {
				other := under(d, "runtimes", "other")
				other["path"] = "/o"
			}
			if r.IntN(3) == 0 {
				under(d, "runtimes", "oci-run")["runtimeArgs"] = []any{"--debug"}
			}
			if r.IntN(3) == 0 {
				d["default-runtime"] = "runc"
			}
			return d
		})
	}
	held(t, configure.Request{Engine: "docker", Name: "oci-run", Binary: "/bin/x", Default: true}, document, json.Unmarshal, func(d map[string]any) {
		under(d, "runtimes", "oci-run")["path"] = "/bin/x"
		d["default-runtime"] = "oci-run"
	})
}
