package scripts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oci-run/internal/configure"
)

// sections are those of docs/engines.md, by their headings.
func sections(t *testing.T) map[string]string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/engines.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, section := range strings.Split(string(doc), "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		all[name] = text
	}
	return all
}

// block is the first one of a language in a section.
func block(section, language string) string {
	_, text, _ := strings.Cut(section, "\n```"+language+"\n")
	text, _, _ = strings.Cut(text, "```")
	return text
}

// TestEngineDocumentIsWhatConfigureWrites: docs/engines.md shows what becomes of a file that isn't
// there, and names it.
func TestEngineDocumentIsWhatConfigureWrites(t *testing.T) {
	for engine, section := range map[string]string{"docker": "Docker", "podman": "Podman", "containerd": "containerd", "crio": "CRI-O"} {
		language := "toml"
		if engine == "docker" {
			language = "json"
		}
		text := sections(t)[section]
		change, err := configure.Plan(&configure.Request{
			Engine: engine, Host: t.TempDir(), Name: "oci-run", Binary: "/usr/local/sbin/oci-run", Default: engine == "podman",
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(block(text, language), change.After()); d != "" {
			t.Errorf("%s (-docs/engines.md +configure):\n%s", section, d)
		}
		if !strings.Contains(text, "`"+change.Path()+"`") {
			t.Errorf("docs/engines.md doesn't name %s in the section %s", change.Path(), section)
		}
	}
}

// TestEngineExamplesAreTheDocuments: the sessions under real engines take their configuration out
// of docs/engines.md, so that what is the same as there has been tried.
func TestEngineExamplesAreTheDocuments(t *testing.T) {
	sections := sections(t)
	files, err := filepath.Glob("../../examples/engines/*")
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{"docker-daemon.json": "Docker", "podman-containers.conf": "Podman", "containerd-config.toml": "containerd", "crio-oci-run.conf": "CRI-O"}
	if len(files) != len(of) {
		t.Errorf("%d files, want %d", len(files), len(of))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		language := map[bool]string{true: "json", false: "toml"}[strings.HasSuffix(file, ".json")]
		if d := cmp.Diff(block(sections[of[filepath.Base(file)]], language), string(text)); d != "" || len(text) == 0 {
			t.Errorf("%s (-docs/engines.md +file):\n%s", file, d)
		}
	}
}
