package screen

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	table := &Table{
		Columns: []Column{{Title: "ID"}, {Title: "PID", Right: true}, {Title: "BUNDLE"}},
		Rows:    [][]string{{"a-name", "7", "/run/engine/bundles/a-name"}, {"ü", "12345", "/b"}},
	}
	for width, want := range map[int]string{
		0:  "ID         PID   BUNDLE\na-name       7   /run/engine/bundles/a-name\nü        12345   /b",
		80: "ID         PID   BUNDLE\na-name       7   /run/engine/bundles/a-name\nü        12345   /b",
		30: "ID         PID   BUNDLE\na-name       7   …ndles/a-name\nü        12345   /b",
		10: "ID         PID   BUNDLE\na-name       7   …es/a-name\nü        12345   /b",
	} {
		if got := strings.Join(table.Lines(width), "\n"); got != want {
			t.Errorf("width %d:\n%s\nwant\n%s", width, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Age(-time.Hour):         "0s",
		Age(59 * time.Second):   "59s",
		Age(3599 * time.Second): "59m",
		Age(47 * time.Hour):     "47h",
		Age(49 * time.Hour):     "2d",
		Bytes(1023):             "1023B",
		Bytes(1024):             "1.0K",
		Bytes(10189):            "10K",
		Bytes(1024*1023 + 512):  "1.0M",
		Bytes(3 << 30):          "3.0G",
		Bytes(1<<64 - 1):        "16E",
		Brief("short-name"):     "short-name",
		Brief(strings.Repeat("0123456789abcdef", 4)): "0123456789ab…",
		Printable("a\x1b[2Jb\nü\u202e"):              "a?[2Jb?ü?",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNoTerminal(t *testing.T) {
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, w := range []io.Writer{io.Discard, null} {
		if size, is := Of(w); is {
			t.Errorf("%T is a terminal of %v", w, size)
		}
	}
}
