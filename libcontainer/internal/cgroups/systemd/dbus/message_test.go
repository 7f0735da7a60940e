package dbus

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEncode compares a call with the bytes that the specification asks for.
func TestEncode(t *testing.T) {
	body := &Encoder{}
	body.String("a.scope")
	body.Array(8, func() {
		body.Align(8)
		body.String("PIDs")
		body.Variant([]uint32{7})
		body.Align(8)
		body.String("Delegate")
		body.Variant(true)
	})
	call := &Message{
		Kind: MethodCall, Serial: 3, Destination: "org.freedesktop.systemd1", Path: "/p", Interface: "i.f", Member: "M",
		Signature: "sa(sv)", Body: body.Bytes(),
	}
	raw, err := call.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := "l\x01\x00\x01" + "\x3c\x00\x00\x00" + "\x03\x00\x00\x00" + "\x64\x00\x00\x00" +
		"\x01\x01o\x00\x02\x00\x00\x00/p\x00" + "\x00\x00\x00\x00\x00" +
		"\x02\x01s\x00\x03\x00\x00\x00i.f\x00" + "\x00\x00\x00\x00" +
		"\x03\x01s\x00\x01\x00\x00\x00M\x00" + "\x00\x00\x00\x00\x00\x00" +
		"\x06\x01s\x00\x18\x00\x00\x00org.freedesktop.systemd1\x00" + "\x00\x00\x00\x00\x00\x00\x00" +
		"\x08\x01g\x00\x06sa(sv)\x00"
	if !strings.HasPrefix(string(raw), want) {
		t.Errorf("%q\n%q", raw, want)
	}
	m, err := Parse(raw)
	if err != nil || m.Member != "M" || m.Path != "/p" || m.Interface != "i.f" || m.Signature != "sa(sv)" || string(m.Body) != string(call.Body) {
		t.Errorf("%+v, %v", m, err)
	}
	got, err := m.Values()
	values := []any{"a.scope", []any{[]any{"PIDs", []uint32{7}}, []any{"Delegate", true}}}
	if d := cmp.Diff(values, got); d != "" || err != nil {
		t.Errorf("%v, %s", err, d)
	}
}

func TestBigEndian(t *testing.T) {
	raw := []byte{'B', MethodReturn, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9, 0, 0, 0, 8, fieldReplySerial, 1, 'u', 0, 0, 0, 0, 5, 0, 0, 0, 77}
	m, err := Parse(raw)
	if err != nil || m.Reply != 5 || m.Decoder().Uint32() != 77 {
		t.Errorf("%+v, %v", m, err)
	}
}

// systemd hangs up on a client that sends such a string, so that the reason would be lost.
func TestEncodeRefuses(t *testing.T) {
	for _, v := range []any{"a\x00b", "\xff", []string{"\xff"}, [][2]string{{"a", "\x00"}}, struct{}{}, map[string]int{}} {
		e := &Encoder{}
		if e.Variant(v); e.Err() == nil {
			t.Errorf("%#v is encoded", v)
		}
	}
}

func TestSingle(t *testing.T) {
	for sig, want := range map[string]string{
		"s": "s", "su": "s", "a(sv)s": "a(sv)", "a{sv}": "a{sv}", "(s(ii))": "(s(ii))", "aas": "aas",
		"": "", "a": "", "(": "", "()": "", "(s": "", "a{s}": "", "a{vs}": "", "{ss}": "", "r": "", "a{ssv}": "",
		strings.Repeat("a", 40) + "s": "",
	} {
		if got, _ := single(sig); got != want {
			t.Errorf("%q: %q, want %q", sig, got, want)
		}
	}
}

// FuzzParse: whatever a peer sends, it is understood or refused.
func FuzzParse(f *testing.F) {
	for _, m := range []*Message{
		{Kind: MethodReturn, Serial: 1, Reply: 2, Sender: ":1.1", Signature: "s", Body: []byte("\x01\x00\x00\x00x\x00")},
		{Kind: Signal, Serial: 1, Path: "/b", Interface: "c", Member: "d", Signature: "a{sv}", Body: []byte("\x00\x00\x00\x00\x00\x00\x00\x00")},
	} {
		raw, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if m, err := Parse(raw); err == nil {
			_, _ = m.Values()
			d := m.Decoder()
			d.Uint32()
			_, _, _ = d.String(), d.signature(), d.String()
		}
	})
}

// FuzzParseAddresses: a socket that is found is found again in an address with its name escaped.
func FuzzParseAddresses(f *testing.F) {
	for _, seed := range []string{"unix:path=/run/bus", "unix:abstract=x,guid=1;unix:path=%2frun", "tcp:host=x", "unix:path=a,path=b", "unix:path=%0", ";"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		sockets, _ := ParseAddresses(list)
		for _, socket := range sockets {
			key, name := "path", socket
			if abstract, ok := strings.CutPrefix(socket, "@"); ok && strings.Contains(list, "abstract") {
				key, name = "abstract", abstract
			}
			var escaped strings.Builder
			for _, c := range []byte(name) {
				escaped.WriteString(fmt.Sprintf("%%%02x", c))
			}
			again, errs := ParseAddresses("unix:" + key + "=" + escaped.String())
			if len(errs) > 0 || len(again) != 1 || again[0] != socket {
				t.Errorf("%q has %q, which is found again as %q, %v", list, socket, again, errs)
			}
		}
	})
}
