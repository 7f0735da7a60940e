package systemd

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
			if _, err := signatureOf(v); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestEncodeCall compares a call with the bytes that the specification asks for.
func TestEncodeCall(t *testing.T) {
	body := &encoder{}
	body.string("a.scope")
	if err := encodeProperties(body, []Property{{"PIDs", []uint32{7}}, {"Delegate", true}}); err != nil {
		t.Fatal(err)
	}
	raw := encodeCall(3, "org.freedesktop.systemd1", "/p", "i.f", "M", "sa(sv)", body.buf)
	want := "l\x01\x00\x01" + "\x3c\x00\x00\x00" + "\x03\x00\x00\x00" + "\x64\x00\x00\x00" +
		"\x01\x01o\x00\x02\x00\x00\x00/p\x00" + "\x00\x00\x00\x00\x00" +
		"\x02\x01s\x00\x03\x00\x00\x00i.f\x00" + "\x00\x00\x00\x00" +
		"\x03\x01s\x00\x01\x00\x00\x00M\x00" + "\x00\x00\x00\x00\x00\x00" +
		"\x06\x01s\x00\x18\x00\x00\x00org.freedesktop.systemd1\x00" + "\x00\x00\x00\x00\x00\x00\x00" +
		"\x08\x01g\x00\x06sa(sv)\x00"
	if !strings.HasPrefix(string(raw), want) {
		t.Errorf("%q\n%q", raw, want)
	}
	m, err := parseMessage(raw)
	if err != nil || m.member != "M" || m.path != "/p" || m.iface != "i.f" || m.sig != "sa(sv)" || string(m.body) != string(body.buf) {
		t.Errorf("%+v, %v", m, err)
	}
	d := m.decoder()
	if name := d.string(); name != "a.scope" || d.err != nil {
		t.Errorf("%q, %v", name, d.err)
	}
}

func TestBigEndian(t *testing.T) {
	raw := []byte{'B', methodReturn, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9, 0, 0, 0, 8, fieldReplySerial, 1, 'u', 0, 0, 0, 0, 5, 0, 0, 0, 77}
	m, err := parseMessage(raw)
	if err != nil || m.reply != 5 || m.decoder().u32() != 77 || m.order != binary.ByteOrder(binary.BigEndian) {
		t.Errorf("%+v, %v", m, err)
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add(encodeCall(1, "a", "/b", "c", "d", "s", []byte{1, 0, 0, 0, 'x', 0}))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if m, err := parseMessage(raw); err == nil {
			d := m.decoder()
			d.u32()
			_, _, _ = d.string(), d.signature(), d.string()
		}
	})
}

func TestJobs(t *testing.T) {
	e := &encoder{}
	e.u32(4)
	e.string("/org/freedesktop/systemd1/job/4")
	e.string("a.scope")
	e.string("failed")
	c := &Conn{removed: map[string]string{}}
	c.note(&message{kind: signal, member: "JobRemoved", sig: "uoss", body: e.buf, order: binary.LittleEndian})
	if result, err := c.await("/org/freedesktop/systemd1/job/4"); result != "failed" || err != nil {
		t.Errorf("%q, %v", result, err)
	}
}
