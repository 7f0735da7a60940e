package excerpt

import (
	"strings"
	"testing"
	"testing/quick"
	"unicode/utf8"
)

func TestOf(t *testing.T) {
	if got := Of("short", 5); got != "short" {
		t.Errorf("got %q", got)
	}
	long := "exec: \"" + strings.Repeat("ü", 5000) + "\": not found"
	got := Of(long, 200)
	if len(got) > 200 || !strings.HasPrefix(got, `exec: "ü`) || !strings.HasSuffix(got, `ü": not found`) || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	if !strings.Contains(got, " bytes)") {
		t.Errorf("it is not said how much is missing: %q", got)
	}
}

// It never gets longer than the limit, and never longer than it was.
func TestLimit(t *testing.T) {
	if err := quick.Check(func(text string, limit uint8) bool {
		text = strings.Repeat(text, 20)
		n := int(limit) + maxNote
		got := Of(text, n)
		return len(got) <= n && len(got) <= max(len(text), 0)
	}, nil); err != nil {
		t.Error(err)
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain text, ümläut": "plain text, ümläut",
		"a\x1b[2Jb\n\tc\x00": `a\x1b[2Jb\n\tc\x00`,
		"\u202e":             `\u202e`, // would turn the line around
		"":                   "",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q becomes %q, must be %q", text, got, want)
		}
	}
}
