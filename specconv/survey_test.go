package specconv

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Whatever is taken out of a document, the rest is JSON, and each other value keeps its offset.
func TestDraftKeepsTheRest(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		walk(raw, 0, "", func(pointer string, c child) {
			d := newDraft(raw)
			if isArgs(pointer[:len(pointer)-len(c.name)-1]) {
				return // the whole list goes
			}
			if !d.remove(pointer) {
				t.Fatalf("%s: %q is not taken out", file, pointer)
			}
			if !json.Valid(d.raw) || len(d.raw) != len(raw) {
				t.Fatalf("%s: without %q: %s", file, pointer, d.raw)
			}
		})
	}
}

// walk calls each for every value below the one at an offset.
func walk(raw []byte, at int, pointer string, each func(pointer string, c child)) {
	for c := range children(raw, skipSpace(raw, at)) {
		here := pointer + Pointer(c.name)
		each(here, c)
		walk(raw, c.start, here, each)
	}
}

func TestDraftOrigin(t *testing.T) {
	const text = `{"a": [1, {"b": 2}, 3], "linux": {"c": [4]}}`
	d := newDraft([]byte(text))
	d.remove("/a/0")
	d.remove("/a/0/b") // the second element by now
	for pointer, want := range map[string]string{
		"/a/0": "/a/1", "/a/1": "/a/2", "/a/0/b": "/a/1/b", "/a/7": "/a/7", "/linux/c/0": "/linux/c/0", "/none/x": "/none/x", "": "",
	} {
		if got := d.origin(pointer); got != want {
			t.Errorf("%q comes from %q, must be %q", pointer, got, want)
		}
	}
	if d.remove("/linux/missing") {
		t.Error("a section was taken out for what it lacks")
	}
	if !d.remove("/a/1/missing") || d.origin("/a/1") != "/a/1" {
		t.Errorf("an element that lacks something was not taken out: %s", d.raw)
	}
}

// surveyOf is the survey of a text, without the host.
func surveyOf(t *testing.T, text string) []Finding {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := NewSurvey("", dir)
	if err != nil {
		t.Fatal(err)
	}
	return s.Report().Findings
}

func TestSurveyOfWhatIsNoDocument(t *testing.T) {
	for text, want := range map[string]Finding{
		"":                       {Severity: Fault, Message: "the file is empty"},
		"{\n  \"root\": {]\n}":   {Severity: Fault, Pointer: "/root", Line: 2, Column: 12},
		"{\"ociVersion\": \"1\"": {Severity: Fault, Pointer: "/ociVersion", Line: 1, Column: 19},
		"[]":                     {Severity: Fault, Message: "is an array, must be an object"},
	} {
		got := surveyOf(t, text)
		if len(got) != 1 {
			t.Errorf("%q: %+v, must be one finding", text, got)
			continue
		}
		if want.Message == "" { // the decoder's words
			got[0].Message = ""
		}
		if d := cmp.Diff(want, got[0], cmpopts.IgnoreUnexported(Finding{})); d != "" {
			t.Errorf("%q: (-want +got)\n%s", text, d)
		}
	}
}

// An array whose elements are all at fault is not told to have none.
func TestSurveyOfAnArrayOfFaults(t *testing.T) {
	s := &Survey{Dir: "/", Name: configName, raw: []byte(`{"ociVersion": "1.0.0", "root": {"path": "/"},
		"process": {"cwd": "/", "args": ["x"]}, "mounts": [{"destination": "/a", "options": ["b", "c"]}, {"destination": "/d", "options": []}]}`)}
	s.decode()
	s.Look(func(b *Bundle) error {
		if len(b.Spec.Mounts) == 0 {
			return nil
		}
		if len(b.Spec.Mounts[0].Options) == 0 {
			return Field("/mounts/0/options", errors.New("must have at least one entry"))
		}
		return Field("/mounts/0/options/0", errors.New("unknown"))
	})
	var got []string
	for _, f := range s.Report().Findings {
		got = append(got, f.Pointer)
	}
	want := []string{"/mounts/0/options/0", "/mounts/0/options/1", "/mounts/1/options"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestSurveyEndsForADocumentOfFaults(t *testing.T) {
	text := `{"ociVersion": "1.0.0", "root": {"path": "/"}, "process": {"cwd": "/", "args": ["x"], "env": ["a"` +
		strings.Repeat(`, "a"`, 2*maxFaults) + `]}}`
	if got := surveyOf(t, text); len(got) != maxFaults {
		t.Errorf("%d findings, must be %d", len(got), maxFaults)
	}
}

func FuzzSurvey(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
	}
	f.Add(`{"ociVersion":"1.0.0","mounts":[{"destination":5},{},null,{"options":["a",null]}],"linux":{"seccomp":{}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s := &Survey{Dir: "/", Name: configName, raw: []byte(text)}
		if s.decode(); s.draft != nil {
			s.check()
			s.effects()
		}
		findings := s.Report().Findings
		_, err := Parse([]byte(text))
		if err != nil && len(findings) == 0 {
			t.Errorf("nothing is found, but %v", err)
		}
	})
}
