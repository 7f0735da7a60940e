package architecture

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The page that explains the tree names each package and each folder of tests, and draws the order
// of imports as it is.
func TestArchitecturePageIsTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/design/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Packages\n")
	blocks := strings.Split(section, "\n```\n")
	if len(blocks) < 4 {
		t.Fatal("the section about packages has not two drawings")
	}
	if d := cmp.Diff(folders(t), drawnFolders(blocks[1])); d != "" {
		t.Errorf("what the page draws (-tree +page):\n%s", d)
	}
	var want [][]string
	for _, layer := range layers {
		want = append(want, slices.Sorted(slices.Values(layer)))
	}
	if d := cmp.Diff(want, drawnLayers(blocks[3])); d != "" {
		t.Errorf("the order of imports that the page draws (-tests/architecture/imports_test.go +page):\n%s", d)
	}
}

// folders lists the shipped packages but main, and what is in tests.
func folders(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, s := range shipped(t) {
		if s.pkg != "main" {
			all = append(all, s.pkg)
		}
	}
	entries, err := os.ReadDir(filepath.Join(root, "tests"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			all = append(all, "tests/"+e.Name())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// drawnFolders reads lines such as "  devices/     the device filter", whose indentation is that of
// the tree, and leaves out what folders leaves out: files, the parents of packages, and programs of
// their own.
func drawnFolders(block string) []string {
	var all, above []string
	for line := range strings.Lines(block) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		name, isFolder := strings.CutSuffix(name, "/")
		if !isFolder || depth > len(above) {
			continue
		}
		above = append(above[:depth:depth], name)
		switch dir := path.Join(above...); dir {
		case "internal", "libcontainer/internal", "tests", "bench", "man", "site", "examples":
		default:
			all = append(all, dir)
		}
	}
	slices.Sort(all)
	return all
}

// drawnLayers reads lines such as "specconv  hooks", which leave out libcontainer/internal/ and
// internal/.
func drawnLayers(block string) [][]string {
	var all [][]string
	for line := range strings.Lines(block) {
		var layer []string
		for name := range strings.FieldsSeq(line) {
			for _, above := range []string{"libcontainer/internal/", "internal/"} {
				if listed(above + name) {
					name = above + name
				}
			}
			layer = append(layer, name)
		}
		slices.Sort(layer)
		all = append(all, layer)
	}
	return all
}
