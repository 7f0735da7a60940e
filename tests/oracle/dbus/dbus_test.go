// Package dbus holds the D-Bus messages of libcontainer/internal/cgroups/systemd/dbus against those
// of godbus, a client that many use. It is in a module of its own, so that what is only an oracle
// is not a dependency of the runtime.
package dbus

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	godbus "github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"oci-run/libcontainer/internal/cgroups/systemd/dbus"
)

// random gives a value of one of the types that the runtime sends to systemd.
func random(r *rand.Rand) any {
	text := func() string { return strings.Repeat(string(rune(1+r.IntN(0xd000))), r.IntN(9)) }
	n := r.IntN(4)
	switch r.IntN(15) {
	case 0:
		return text()
	case 1:
		return n == 0
	case 2:
		return byte(r.Uint32())
	case 3:
		return int16(r.Uint32())
	case 4:
		return uint16(r.Uint32())
	case 5:
		return int32(r.Uint32())
	case 6:
		return r.Uint32()
	case 7:
		return int64(r.Uint64())
	case 8:
		return r.Uint64()
	case 9:
		return r.NormFloat64()
	case 10:
		return many(n, text)
	case 11:
		return many(n, func() byte { return byte(r.Uint32()) })
	case 12:
		return many(n, r.Uint32)
	case 13:
		return many(n, r.Uint64)
	}
	return many(n, func() [2]string { return [2]string{text(), text()} })
}

func many[T any](n int, one func() T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = one()
	}
	return out
}

// plain gives what both clients make of a message's body in one form: godbus has types of its own
// for object paths, signatures and variants, and each has slices of different types. An array and a
// structure are both a list here.
func plain(v any) any {
	switch v := v.(type) {
	case godbus.ObjectPath:
		return string(v)
	case godbus.Signature:
		return v.String()
	case godbus.Variant:
		return plain(v.Value())
	case float64:
		return math.Float64bits(v) // as NaN is not itself
	}
	list := reflect.ValueOf(v)
	if k := list.Kind(); k != reflect.Slice && k != reflect.Array {
		return v
	}
	out := []any{}
	for i := range list.Len() {
		out = append(out, plain(list.Index(i).Interface()))
	}
	return out
}

func plainAll(list []any) []any { return plain(list).([]any) }

// ours encodes a message with a body of values with the runtime's client, theirs with godbus.
func ours(t testing.TB, kind byte, serial uint32, values []any) []byte {
	e := &dbus.Encoder{}
	var sig strings.Builder
	for _, v := range values {
		sig.WriteString(dbus.Signature(v))
		e.Value(v)
	}
	m := &dbus.Message{
		Kind: kind, Serial: serial, Path: "/org/x", Interface: "i.f", Member: "M", Destination: "org.x.y", Signature: sig.String(), Body: e.Bytes(),
	}
	switch kind {
	case dbus.MethodReturn:
		m.Reply, m.Path, m.Interface, m.Member = 5, "", "", ""
	case dbus.MethodError:
		m.Reply, m.ErrorName, m.Path, m.Interface, m.Member = 5, "a.b", "", "", ""
	}
	raw, err := m.Encode()
	if err != nil || e.Err() != nil {
		t.Fatal(err, e.Err())
	}
	return raw
}

func theirs(t testing.TB, order binary.ByteOrder, kind godbus.Type, serial uint32, values []any) []byte {
	m := &godbus.Message{Type: kind, Headers: map[godbus.HeaderField]godbus.Variant{
		godbus.FieldDestination: godbus.MakeVariant("org.x.y"),
	}, Body: values}
	switch kind {
	case godbus.TypeMethodReply:
		m.Headers[godbus.FieldReplySerial] = godbus.MakeVariant(uint32(5))
	case godbus.TypeError:
		m.Headers[godbus.FieldReplySerial] = godbus.MakeVariant(uint32(5))
		m.Headers[godbus.FieldErrorName] = godbus.MakeVariant("a.b")
	default:
		m.Headers[godbus.FieldPath] = godbus.MakeVariant(godbus.ObjectPath("/org/x"))
		m.Headers[godbus.FieldInterface] = godbus.MakeVariant("i.f")
		m.Headers[godbus.FieldMember] = godbus.MakeVariant("M")
	}
	if len(values) > 0 {
		m.Headers[godbus.FieldSignature] = godbus.MakeVariant(godbus.SignatureOf(values...))
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, order); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	order.PutUint32(raw[8:], serial) // a connection of theirs would set it
	return raw
}

// What ours writes theirs reads, and what theirs writes, in either byte order, ours reads.
func TestBothWays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		values := many(r.IntN(4), func() any { return random(r) })
		kind, serial := byte(1+r.IntN(4)), 1+r.Uint32N(1<<30)
		m, err := godbus.DecodeMessage(bytes.NewReader(ours(t, kind, serial, values)))
		if err != nil {
			t.Fatalf("%#v: %v", values, err)
		}
		if d := cmp.Diff(plainAll(values), plainAll(m.Body)); d != "" || byte(m.Type) != kind || m.Serial() != serial {
			t.Fatalf("%#v: %v, %s", values, m, d)
		}
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			got, err := dbus.Parse(theirs(t, order, godbus.Type(kind), serial, theirValues(values)))
			if err != nil {
				t.Fatalf("%#v: %v", values, err)
			}
			body, err := got.Values()
			if d := cmp.Diff(plainAll(values), plainAll(body)); d != "" || err != nil || got.Kind != kind || got.Serial != serial || got.Destination != "org.x.y" {
				t.Fatalf("%#v: %+v, %v, %s", values, got, err, d)
			}
		}
	}
}

// theirValues gives pairs the type that godbus takes for structures.
func theirValues(values []any) []any {
	type pair struct{ A, B string }
	var out []any
	for _, v := range values {
		if list, ok := v.([][2]string); ok {
			pairs := make([]pair, 0, len(list))
			for _, p := range list {
				pairs = append(pairs, pair{p[0], p[1]})
			}
			v = pairs
		}
		out = append(out, v)
	}
	return out
}

// A property is a structure with a variant, in which alignment begins anew nowhere.
func TestProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	type property struct {
		Name  string
		Value godbus.Variant
	}
	for range 5000 {
		e := &dbus.Encoder{}
		var list []property
		e.String("a.scope")
		e.Array(8, func() {
			for range r.IntN(5) {
				v := random(r)
				name := strings.Repeat("N", 1+r.IntN(9))
				e.Align(8)
				e.String(name)
				e.Variant(v)
				list = append(list, property{name, godbus.MakeVariant(theirValues([]any{v})[0])})
			}
		})
		m := &dbus.Message{Kind: dbus.MethodCall, Serial: 1, Path: "/", Member: "M", Signature: "sa(sv)", Body: e.Bytes()}
		raw, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := godbus.DecodeMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		want := &godbus.Message{Type: godbus.TypeMethodCall, Headers: map[godbus.HeaderField]godbus.Variant{
			godbus.FieldPath: godbus.MakeVariant(godbus.ObjectPath("/")), godbus.FieldMember: godbus.MakeVariant("M"),
			godbus.FieldSignature: godbus.MakeVariant(godbus.ParseSignatureMust("sa(sv)")),
		}, Body: []any{"a.scope", list}}
		if err := want.EncodeTo(&b, binary.LittleEndian); err != nil {
			t.Fatal(err)
		}
		theirs, err := dbus.Parse(b.Bytes())
		if err != nil || !bytes.Equal(theirs.Body, m.Body) {
			t.Fatalf("%v\n%q\n%q", err, theirs.Body, m.Body)
		}
		if len(got.Body) != 2 {
			t.Fatalf("%v", got.Body)
		}
	}
}

// FuzzDecode: what ours takes for a message, theirs takes for the same.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		values := many(r.IntN(4), func() any { return random(r) })
		f.Add(ours(f, byte(1+r.IntN(4)), 9, values))
		f.Add(theirs(f, binary.BigEndian, godbus.TypeSignal, 9, theirValues(values)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := dbus.Parse(raw)
		if err != nil || strings.ContainsAny(m.Signature, "hr") {
			return
		}
		values, err := m.Values()
		if err != nil {
			return
		}
		theirs, err := godbus.DecodeMessage(bytes.NewReader(raw))
		if err != nil {
			return // stricter about names, flags and required fields, which are not looked at here
		}
		if bytes.ContainsRune(raw, '{') {
			return // a map of theirs has no order
		}
		if d := cmp.Diff(plainAll(values), plainAll(theirs.Body)); d != "" {
			t.Errorf("%q: %s", raw, d)
		}
		if byte(theirs.Type) != m.Kind || theirs.Serial() != m.Serial {
			t.Errorf("%q: %v, %+v", raw, theirs, m)
		}
	})
}

// Addresses are unescaped as theirs are.
func TestUnescape(t *testing.T) {
	for _, value := range []string{"/a", "/a%20b", "/%2f%2F", "/x%", "/x%2", "/x%zz", "/é", "/a%2cb%3b"} {
		want, werr := godbus.UnescapeBusAddressValue(value)
		got, errs := dbus.ParseAddresses("unix:path=" + value)
		if (werr != nil) != (len(errs) > 0) || werr == nil && got[0] != want {
			t.Errorf("%q: %q %v, %q %v", value, got, errs, want, werr)
		}
		if escaped := godbus.EscapeBusAddressValue(value); werr == nil {
			if got, errs := dbus.ParseAddresses("unix:path=" + escaped); len(errs) > 0 || got[0] != value {
				t.Errorf("%q: %q %v", escaped, got, errs)
			}
		}
	}
}
