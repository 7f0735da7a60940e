package systemd

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"oci-run/libcontainer/internal/cgroups/systemd/dbus"
)

func TestParseValue(t *testing.T) {
	for text, want := range map[string]any{
		"true":            true,
		"'it\\'s'":        "it's",
		`"a\nb"`:          "a\nb",
		"15":              int32(15),
		"-1":              int32(-1),
		"5000000000":      int64(5000000000),
		"1.5":             1.5,
		"uint64 10000000": uint64(10000000),
		"byte 0x10":       byte(16),
		"['a' , \"b\"]":   []string{"a", "b"},
		"[]":              []string(nil),
		"[1, 2]":          []uint32{1, 2},
		"[uint64 1]":      []uint64{1},
		" 'x' ":           "x",
		"double 3":        3.0,
		"int16 -5":        int16(-5),
	} {
		got, err := ParseValue(text)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v, %s", text, err, d)
		}
	}
	for _, bad := range []string{"", "'", "x", "[1", "['a', 1]", "1 2", "byte 256", "uint64 -1", "[true]", "uint32", "}"} {
		if v, err := ParseValue(bad); err == nil {
			t.Errorf("%q: %v", bad, v)
		}
	}
}

func FuzzParseValue(f *testing.F) {
	f.Add("['a', uint64 1]")
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := ParseValue(text); err == nil {
			if dbus.Signature(v) == "" {
				t.Errorf("no type for a %T", v)
			}
		}
	})
}
