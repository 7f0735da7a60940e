package architecture

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// Each link of a document leads to a file of the tree, and to a heading that is there. (The site
// that `make site` builds has the same links, and the generator's check follows those.)
func TestLinksLeadSomewhere(t *testing.T) {
	files := documents(t)
	if len(files) < 20 {
		t.Fatalf("only %d documents were found", len(files))
	}
	for _, file := range files {
		for _, target := range linkTargets(read(t, file)) {
			if strings.Contains(target, ":") {
				continue // of another site
			}
			name, anchor, _ := strings.Cut(target, "#")
			place := file
			if name != "" {
				place = filepath.Join(filepath.Dir(file), name)
			}
			if _, err := os.Stat(place); err != nil {
				t.Errorf("%s: the link to %s leads nowhere: %v", file, target, err)
			} else if anchor != "" && !headings(read(t, place))[anchor] {
				t.Errorf("%s: the link to %s leads to no heading", file, target)
			}
		}
	}
}

// documents lists the Markdown files of the tree.
func documents(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if entry.IsDir() && (rel == "bin" || rel == ".git") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".md") && entry.Type().IsRegular() {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// linkTargets are those of [text](target), outside of blocks and spans of code.
func linkTargets(text string) (targets []string) {
	var prose strings.Builder
	inBlock := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inBlock = !inBlock
		} else if !inBlock {
			prose.WriteString(line)
		}
	}
	plain := regexp.MustCompile("`[^`\n]+`").ReplaceAllString(prose.String(), "code")
	for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(plain, -1) {
		targets = append(targets, m[1])
	}
	return targets
}

// headings are the anchors of a document's headings, as forges and the site make them.
func headings(text string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(text) {
		title, isHeading := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !isHeading || !strings.HasPrefix(line, "#") {
			continue
		}
		title = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(title, "$1")
		all[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title))] = true
	}
	return all
}
