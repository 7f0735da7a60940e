package oncejson

import (
	"encoding"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// sample has every kind of member that is decoded here.
type sample struct {
	embedded
	S     string            `json:"s"`
	Named specs.Arch        `json:"named,omitempty"`
	B     bool              `json:"b"`
	I     int8              `json:"i"`
	U     *uint16           `json:"u"`
	L     []string          `json:"l"`
	M     map[string]string `json:"m"`
	P     *sample           `json:"p"`
	T     []sample          `json:"t"`
	Raw   json.RawMessage   `json:"raw"`
	Time  time.Time         `json:"time"`
	Bytes []byte            `json:"bytes"`
	F     float64           `json:"f"`
	Any   any               `json:"any"`
	None  string            `json:"-"`
	Plain int
}

type embedded struct {
	Major int64 `json:"major"`
}

// documents are plain or not; both have to come out as from encoding/json.
var documents = []struct {
	raw   string
	plain bool
}{
	{`{}`, true},
	{` { "s" : "x" , "b":true,"i":-128,"u":65535 } `, true},
	{`{"l":[],"m":{},"t":[{},{"s":"y"}],"p":{"p":{"s":"z"}}}`, true},
	{`{"l":null,"m":null,"t":null,"p":null,"s":null,"b":null,"i":null,"u":null}`, true},
	{`{"l":["a",null,"b"],"m":{"k":null,"":"v"}}`, true},
	{`{"raw":{"a":[1,"}",{}]},"major":7,"Plain":3}`, true},
	{`{"unknown":{"a":[true,false,null,-0,"\""],"a":0}}`, true},
	{`{"s":"\"\\\/\b\f\n\r\t\u00e9\u2028ü","named":"SCMP_ARCH_X86"}`, true},
	{`{"S":"folded"}`, false},
	{`{"ſ":"folds to s"}`, false},
	{`{"s":"a","s":"b"}`, false},
	{`{"m":{"a":"1","a":"2"}}`, false},
	{`{"s":"\ud83d\ude00"}`, false},
	{`{"s":"\ud83d"}`, false},
	{"{\"s\":\"\xff\"}", false},
	{`{"time":"2026-01-02T03:04:05.678Z"}`, true},
	{`{"time":null}`, false},
	{`{"time":"yesterday"}`, false},
	{`{"raw":null}`, false},
	{`{"bytes":"AAAA"}`, false},
	{`{"f":1}`, false},
	{`{"any":{"a":1}}`, false},
	{`{"unknown":1.5}`, false},
	{`null`, true},
	{``, false}, {`{`, false}, {`{}x`, false}, {"{}\x00", false}, {`{"s":}`, false}, {`{"s":1}`, false}, {`{"b":"x"}`, false},
	{`{"i":128}`, false}, {`{"i":01}`, false}, {`{"i":-}`, false}, {`{"i":1e1}`, false}, {`{"u":-1}`, false}, {`{"u":65536}`, false},
	{`{"l":[1]}`, false}, {`{"l":["a",]}`, false}, {`{"m":{"a":1}}`, false}, {`{"s":"a",}`, false}, {"{\"s\":\"\n\"}", false},
	{`{"s":"\x"}`, false}, {`{"s":"\u12"}`, false}, {`{"s":"\u+123"}`, false}, {`[]`, false}, {`{"s" "a"}`, false}, {`{s:"a"}`, false},
	{`{"unknown":nul}`, false}, {`{"b":tru}`, false}, {`nulll`, false},
	{strings.Repeat(`{"p":`, 100) + `{}` + strings.Repeat(`}`, 100), false},
}

func TestDecode(t *testing.T) {
	for _, d := range documents {
		if is := plain([]byte(d.raw), new(sample)); is != d.plain {
			t.Errorf("plain(%s): %v", d.raw, is)
		}
		same[sample](t, []byte(d.raw))
	}
}

// same holds Decode against encoding/json.
func same[T any](t *testing.T, raw []byte) {
	t.Helper()
	var got, want T
	gotErr, wantErr := Decode(raw, &got), json.Unmarshal(raw, &want)
	if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
		t.Errorf("Decode(%s): %v, want %v", raw, gotErr, wantErr)
	}
	if gotErr == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("Decode(%s):\n got %#v\nwant %#v", raw, got, want)
	}
	if gotErr == nil {
		sameText(t, got)
	}
}

// sameText holds Encode against encoding/json.
func sameText(t *testing.T, value any) {
	t.Helper()
	got, gotErr := Encode(value)
	want, wantErr := json.Marshal(value)
	if (gotErr == nil) != (wantErr == nil) || gotErr == nil && string(got) != string(want) {
		t.Errorf("Encode(%#v):\n got %s (%v)\nwant %s (%v)", value, got, gotErr, want, wantErr)
	}
	got, gotErr = EncodeIndented(value)
	want, wantErr = json.MarshalIndent(value, "", "  ")
	if (gotErr == nil) != (wantErr == nil) || gotErr == nil && string(got) != string(want) {
		t.Errorf("EncodeIndented(%#v):\n got %s (%v)\nwant %s (%v)", value, got, gotErr, want, wantErr)
	}
}

func TestEncode(t *testing.T) {
	small := uint16(0)
	type odd struct {
		Quoted int `json:"quoted,string"`
	}
	type part struct {
		N int
	}
	type zeros struct {
		Part part       `json:"part,omitzero"`
		List []int      `json:"list,omitzero"`
		Time time.Time  `json:"time,omitzero"`
		When *time.Time `json:"when,omitzero"`
	}
	epoch := time.Time{}.In(time.FixedZone("", 3600)) // zero by its method only
	for _, value := range []any{
		sample{}, &sample{U: &small, P: &sample{}, T: []sample{{}}, L: []string{}, M: map[string]string{"b": "<&>", "a": "\t\r\n\"\\", "c": "\x00\x7fü\u2028\xff"}},
		sample{Raw: json.RawMessage(" {\"a\" : [1, 2] } ")}, sample{Raw: json.RawMessage(`{"a":"<"}`)}, sample{Raw: json.RawMessage(`{`)},
		sample{Time: time.Unix(1, 5).UTC(), F: 1.5, Any: []int{1}, Bytes: []byte("x")},
		[]float64{0, 0.01, 1e-7, 1e20, 1e21, -2.5, 100, math.MaxFloat64, math.Copysign(0, -1)}, []any{nil, 1, "\\", []int{}, map[string]any{}}, math.Inf(1),
		[]sample(nil), (*sample)(nil), map[string]int{}, map[int]int{1: 2}, nil, odd{7},
		zeros{}, zeros{part{1}, []int{}, time.Unix(1, 0).UTC(), &epoch}, zeros{Time: epoch}, "x", 5, true, func() {},
	} {
		sameText(t, value)
	}
	// What is written at each create is plain.
	type record struct {
		ID      string            `json:"id"`
		Created time.Time         `json:"created"`
		Raw     json.RawMessage   `json:"raw,omitempty"`
		Map     map[string]string `json:"map,omitempty"`
		Off     bool              `json:"off,omitempty"`
		Part    struct{ N int }   `json:"part,omitzero"`
	}
	e := encoder{names: map[reflect.Type][]field{}}
	if !e.value(reflect.ValueOf(record{"x", time.Now(), json.RawMessage(`{"a":1}`), map[string]string{"k": `{"v":"<"}`}, false, struct{ N int }{}}), 0) {
		t.Errorf("not plain: %s", e.out)
	}
}

// TestEngines: what engines write is plain, or all this is for nothing.
func TestEngines(t *testing.T) {
	files, err := filepath.Glob("../../tests/integration/engines/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no config of an engine: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !plain(raw, new(specs.Spec)) {
			t.Errorf("%s is not plain", file)
		}
		same[specs.Spec](t, raw)
	}
}

// TestNotEmpty: encoding/json merges into what is there.
func TestNotEmpty(t *testing.T) {
	s := sample{S: "old", B: true}
	if err := Decode([]byte(`{"s":"new"}`), &s); err != nil || s.S != "new" || !s.B {
		t.Errorf("%+v, %v", s, err)
	}
	if err := Decode([]byte(`{}`), s); err == nil {
		t.Error("decoded into something that is no pointer")
	}
}

// TestTypes: none of the specification's types decodes itself from a string or a number, or
// has options that are not known here.
func TestTypes(t *testing.T) {
	decoders := []reflect.Type{reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()}
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(at reflect.Type) {
		if seen[at] {
			return
		}
		seen[at] = true
		for _, d := range decoders {
			if reflect.PointerTo(at).Implements(d) {
				t.Errorf("%s implements %s", at, d)
			}
		}
		switch at.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(at.Elem())
		case reflect.Struct:
			if n := at.NumField(); n > 64 {
				t.Errorf("%s has %d fields", at, n)
			}
			for i := range at.NumField() {
				f := at.Field(i)
				if strings.Contains(f.Tag.Get("json"), ",string") {
					t.Errorf("%s.%s is a quoted %s", at, f.Name, f.Type)
				}
				visit(f.Type)
			}
		}
	}
	visit(reflect.TypeFor[specs.Spec]())
	visit(reflect.TypeFor[specs.State]())
	if len(seen) < 60 {
		t.Errorf("only %d types seen", len(seen))
	}
}

func FuzzDecode(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		same[sample](t, raw)
		same[specs.Spec](t, raw)
	})
}

func BenchmarkDecode(b *testing.B) {
	raw, err := os.ReadFile("../../tests/integration/engines/docker-28-plain.json")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := Decode(raw, new(specs.Spec)); err != nil {
			b.Fatal(err)
		}
	}
}
