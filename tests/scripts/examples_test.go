package scripts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEngineExamplesAreTheDocuments: the sessions under real engines take their configuration out
// of docs/engines.md, so that what is the same as there has been tried.
func TestEngineExamplesAreTheDocuments(t *testing.T) {
	doc, err := os.ReadFile("../../docs/engines.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(string(doc), "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		sections[name] = text
	}
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
		_, block, found := strings.Cut(sections[of[filepath.Base(file)]], "\n```"+map[bool]string{true: "json", false: "toml"}[strings.HasSuffix(file, ".json")]+"\n")
		block, _, _ = strings.Cut(block, "```")
		if d := cmp.Diff(block, string(text)); d != "" || !found {
			t.Errorf("%s (-docs/engines.md +file):\n%s", file, d)
		}
	}
}
