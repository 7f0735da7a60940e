package criu

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

func TestPageServer(t *testing.T) {
	for _, c := range []struct{ given, want string }{
		{"", ""},
		{"10.0.0.1:27277", "\x0a\x0810.0.0.1\x10\x8d\xd5\x01"},
		{"[::1]:1", "\x0a\x03::1\x10\x01"},
	} {
		got, err := (&Options{PageServer: c.given}).pageServer()
		if err != nil || string(got) != c.want {
			t.Errorf("%q: %q, %v", c.given, got, err)
		}
	}
	for _, given := range []string{"10.0.0.1", ":1", "a:", "a:0", "a:65536", "a:x"} {
		if got, err := (&Options{PageServer: given}).pageServer(); err == nil {
			t.Errorf("%q: %q", given, got)
		}
	}
}

func TestFailureText(t *testing.T) {
	f := &Failure{What: "type DUMP errno 1", Log: "/w/dump.log", Excerpt: []string{"Error (a.c:1): b"}}
	const want = "criu failed: type DUMP errno 1\nlog file: /w/dump.log\nError (a.c:1): b"
	if diff := cmp.Diff(want, f.Error()); diff != "" {
		t.Error(diff)
	}
}
