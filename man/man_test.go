package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"oci-run/libcontainer"
	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// written makes the pages of the binary under test and returns them by their names.
func written(t *testing.T) map[string]string {
	t.Helper()
	binary := os.Getenv("OCI_RUN")
	if binary == "" {
		binary = "../bin/oci-run"
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skipf("no binary to ask (make build): %v", err)
	}
	dir := t.TempDir()
	if err := write(binary, dir); err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*.8"))
	made := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		made[filepath.Base(path)] = string(text)
	}
	if len(made) != len(pages) {
		t.Errorf("%d pages of %d", len(made), len(pages))
	}
	return made
}

// Each page has all that a reader looks for, and its sentences are filled.
func TestEachPageIsWhole(t *testing.T) {
	for name, text := range written(t) {
		for _, must := range []string{
			` 8 ` + date + ` "oci-run `, "\n.SH NAME\n", "\n.SH SYNOPSIS\n", "\n.SH DESCRIPTION\n", "\n.SH EXIT STATUS\n", "\n.SH ENVIRONMENT\n",
			"\n.SH EXAMPLES\n.PP\n", "\n.SH SEE ALSO\n",
		} {
			if !strings.Contains(text, must) {
				t.Errorf("%s: no %q", name, must)
			}
		}
		if strings.Contains(text, "\n.br\n") {
			t.Errorf("%s: a break within a sentence", name)
		}
		if empty := regexp.MustCompile(`(?m)^\.TP\n\.B (.*)\n(\.|\n|$)`).FindString(text); empty != "" {
			t.Errorf("%s: nothing is said of %q", name, empty)
		}
	}
}

func TestEachPageIsCorrectRoff(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skipf("%v", err)
	}
	for name, text := range written(t) {
		cmd := exec.Command(groff, "-man", "-ww", "-z", "-Tutf8")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

// What events and state print is told of, member by member.
func TestOutputIsToldOf(t *testing.T) {
	for _, c := range []struct {
		page, prefix string
		of           reflect.Type
	}{
		{"events", "data.", reflect.TypeFor[libcontainer.Stats]()},
		{"state", "", reflect.TypeFor[libcontainer.State]()},
	} {
		var told []string
		for _, term := range pages[c.page].output {
			told = append(told, strings.Split(term.name, ", ")...)
		}
		for i := range c.of.NumField() {
			name, _, _ := strings.Cut(c.of.Field(i).Tag.Get("json"), ",")
			if name == "-" || name == "" {
				continue
			}
			found := false
			for _, term := range told {
				found = found || term == c.prefix+name || strings.HasPrefix(term, c.prefix+name+".")
			}
			if !found {
				t.Errorf("%s: nothing is said of %q", c.page, name)
			}
		}
	}
}
