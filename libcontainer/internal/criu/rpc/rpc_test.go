package rpc

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// The bytes are those of protoc for the same messages.
func TestEncode(t *testing.T) {
	var m Message
	m.Number(OptPID, 300)
	m.Flag(OptLeaveRunning, true)
	m.Flag(OptShellJob, false)
	m.Text(OptLogFile, "a.log")
	m.Given(OptRoot, "")
	m.Pair(OptExtMnt, "/k", "v")
	m.Inherited("pipe:[1]", 2)
	want := "\x10\xac\x02" + "\x18\x01" + "\x38\x00" + "\x52\x05a.log" + "\xba\x01\x07\x0a\x02/k\x12\x01v" +
		"\xda\x01\x0c\x0a\x08pipe:[1]\x10\x02"
	if diff := cmp.Diff(want, string(m)); diff != "" {
		t.Error(diff)
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       Response
	}{
		{"empty", "", Response{}},
		{"notify", "\x08\x06\x10\x01\x2a\x10\x0a\x0cpost-restore\x10\x05", Response{Kind: ReqNotify, Success: true, Script: "post-restore", PID: 5}},
		{"errno", "\x08\x01\x10\x00\x38\x34", Response{Kind: ReqDump, Errno: 52}},
		{"negative errno", "\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Response{Errno: -1}},
		{"version", "\x08\x0a\x10\x01\x52\x06\x08\x03\x10\x11\x20\x01", Response{Kind: ReqVersion, Success: true, major: 3, minor: 17, sublevel: 1}},
		{"features", "\x42\x04\x08\x01\x10\x00", Response{MemTrack: true}},
		{"unknown fields", "\x4a\x03abc\x5d1234\x591234567\x38\x10\x01", Response{Success: true}},
	} {
		got, err := Decode([]byte(c.data))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, *got, cmp.AllowUnexported(Response{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestDecodeMalformed(t *testing.T) {
	for _, data := range []string{"\x08", "\xff", "\x52\x05abc", "\x5d123", "\x59123", "\x0b", "\x2a\x02\x08\x80", "\x52\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if _, err := Decode([]byte(data)); err == nil {
			t.Errorf("%q was decoded", data)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x08\x06\x10\x01\x2a\x10\x0a\x0cpost-restore\x10\x05"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := Decode(data); err == nil && len(r.Script) > len(data) {
			t.Errorf("more was decoded than came: %q", r.Script)
		}
	})
}
