package scripts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocumentsAreInTheSite: the sidebar of the site names each page of docs, or else the build of
// the site fails, which needs Node.js and is not run each time.
func TestDocumentsAreInTheSite(t *testing.T) {
	config, err := os.ReadFile("../../site/config.mjs")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("pages of docs: %q, %v", pages, err)
	}
	design, err := filepath.Glob("../../docs/design/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, design...) {
		name := strings.TrimSuffix(filepath.Base(page), ".md")
		if name != "README" && !strings.Contains(string(config), "/"+name+"'") && !strings.Contains(string(config), "'"+name+"'") {
			t.Errorf("%s is not in the sidebar of site/config.mjs", page)
		}
	}
}
