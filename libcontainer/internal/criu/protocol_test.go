package criu

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// The bytes are those of protoc for the same messages.
func TestEncode(t *testing.T) {
	var m message
	m.number(optPID, 300)
	m.flag(optLeaveRunning, true)
	m.flag(optShellJob, false)
	m.text(optLogFile, "a.log")
	m.given(optRoot, "")
	m.pair(optExtMnt, "/k", "v")
	m.inherited("pipe:[1]", 2)
	want := "\x10\xac\x02" + "\x18\x01" + "\x38\x00" + "\x52\x05a.log" + "\xba\x01\x07\x0a\x02/k\x12\x01v" +
		"\xda\x01\x0c\x0a\x08pipe:[1]\x10\x02"
	if diff := cmp.Diff(want, string(m)); diff != "" {
		t.Error(diff)
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       response
	}{
		{"empty", "", response{}},
		{"notify", "\x08\x06\x10\x01\x2a\x10\x0a\x0cpost-restore\x10\x05", response{kind: reqNotify, success: true, script: "post-restore", pid: 5}},
		{"errno", "\x08\x01\x10\x00\x38\x34", response{kind: reqDump, errno: 52}},
		{"negative errno", "\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", response{errno: -1}},
		{"version", "\x08\x0a\x10\x01\x52\x06\x08\x03\x10\x11\x20\x01", response{kind: reqVersion, success: true, version: 31701}},
		{"features", "\x42\x04\x08\x01\x10\x00", response{memTrack: true}},
		{"unknown fields", "\x4a\x03abc\x5d1234\x591234567\x38\x10\x01", response{success: true}},
	} {
		got, err := decode([]byte(c.data))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, *got, cmp.AllowUnexported(response{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestDecodeMalformed(t *testing.T) {
	for _, data := range []string{"\x08", "\xff", "\x52\x05abc", "\x5d123", "\x59123", "\x0b", "\x2a\x02\x08\x80", "\x52\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if _, err := decode([]byte(data)); err == nil {
			t.Errorf("%q was decoded", data)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x08\x06\x10\x01\x2a\x10\x0a\x0cpost-restore\x10\x05"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := decode(data); err == nil && len(r.script) > len(data) {
			t.Errorf("more was decoded than came: %q", r.script)
		}
	})
}

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
