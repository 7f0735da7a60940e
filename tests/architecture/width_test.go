package architecture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// widest is how many columns a line of comment may reach, with tabs of four.
const widest = 100

// TestCommentsAreNotWide is about lines that hold nothing but a comment. Drawings, lists and
// addresses are as wide as they are.
func TestCommentsAreNotWide(t *testing.T) {
	for _, s := range tree(t) {
		text, err := os.ReadFile(filepath.Join(root, s.path))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			comment, ok := strings.CutPrefix(strings.TrimLeft(line, "\t"), "// ")
			if !ok || strings.HasPrefix(comment, " ") || strings.Contains(comment, "://") {
				continue
			}
			if columns := utf8.RuneCountInString(strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    ")); columns > widest {
				t.Errorf("%s:%d: %d columns of comment, more than %d", s.path, n, columns, widest)
			}
		}
	}
}
