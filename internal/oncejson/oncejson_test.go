package oncejson

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// sample has every kind of member.
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
	F     float64           `json:"f"`
	Any   any               `json:"any"`
	Small float32           `json:"small"`
	None  string            `json:"-"`
	Plain int
}

type embedded struct {
	Major int64 `json:"major"`
}

// documents are as encoding/json has them, or say what is wrong.
var documents = []string{
	`{}`,
	` { "s" : "x" , "b":true,"i":-128,"u":65535 } `,
	`{"l":[],"m":{},"t":[{},{"s":"y"}],"p":{"p":{"s":"z"}}}`,
	`{"l":null,"m":null,"t":null,"p":null,"s":null,"b":null,"i":null,"u":null,"raw":null,"time":null,"f":null,"any":null}`,
	`{"l":["a",null,"b"],"m":{"k":null,"":"v"}}`,
	`{"raw":{"a":[1,"}",{}]},"major":7,"Plain":3}`,
	`{"unknown":{"a":[true,false,null,-0,"\""],"b":0}}`,
	`{"s":"\"\\\/\b\f\n\r\t\u00e9\u2028ü","named":"SCMP_ARCH_X86"}`,
	`{"S":"folded"}`, `{"ſ":"folds to s"}`, `{"MAJOR":1,"major":2}`, `{"l":["a"],"L":5}`, `{"t":[{"NAMED":"x","p":{"S":1}}]}`, `{"\u0053":"escaped"}`,
	`{"s":"a","s":"b"}`, `{"m":{"a":"1","a":"2"}}`, `{"p":{"s":"","\u0073":""}}`, `{"unknown":1,"unknown":2}`, `{"unknown":[{"a":1,"b":{},"a":2}]}`,
	`{"raw":{"a":1,"a":2}}`, `{"any":[{"a":1,"a":2}]}`,
	`{"s":"\ud83d\ude00"}`, `{"s":"\ud83d"}`, `{"s":"\ude00\ud83d\ud83d\ude00x\ud83d\u0041"}`, `{"s":"\ud83d\x"}`, `{"s":"\ud83d\`,
	"{\"s\":\"\xff\xfeü\xc3\"}", "{\"m\":{\"\xff\":\"\",\"\xfe\":\"\"}}", "{\"\xff\":1}", "{\"raw\":\"\xff\"}",
	`{"time":"2026-01-02T03:04:05.678Z"}`, `{"time":"yesterday"}`, `{"time":5}`,
	`{"f":1}`, `{"f":-1.5e-3}`, `{"f":"1"}`, `{"f":1e999}`, `{"f":{}}`, `{"f":-0}`, `{"f":true}`, `{"f":nul}`, `{"f":0x1}`, `{"f":Inf}`,
	`{"small":0.1}`, `{"small":1e39}`, `{"small":[]}`,
	`{"any":{"a":1,"b":{},"c":[],"":null}}`, `{"any":[1.5,"x",true,false,null,-0,1e3,"\u00e9",{"a":[{}]}]}`, `{"any":7}`, `{"any":"x"}`, `{"any":null}`,
	`{"any":1e999}`, `{"any":[1,2e999]}`, `{"any":tru}`, `{"any":[1,]}`, `{"any":{"a":}}`, `{"any":[`, `{"any":-}`, `{"any":01}`, `{"any":{"a":1}x}`,
	"{\"any\":[\"\xff\",{\"\xfe\":1}]}",
	`{"unknown":1.5}`, `{"unknown":1.}`, `{"unknown":01}`, `{"unknown":1e}`, `{"unknown":1E+05}`, `{"unknown":-}`, `{"unknown":.5}`,
	`null`, `nulll`, `[]`, `"x"`, `5`, `true`,
	``, `{`, `{}x`, "{}\x00", `{"s":}`, `{"s":1}`, `{"s":1.5}`, `{"s":{}}`, `{"b":"x"}`, `{"b":1}`, `{"b":[]}`,
	`{"i":128}`, `{"i":01}`, `{"i":-}`, `{"i":1e1}`, `{"i":1.0}`, `{"i":-0}`, `{"i":true}`, `{"u":-1}`, `{"u":65536}`, `{"u":-0}`, `{"u":"1"}`,
	`{"l":[1]}`, `{"l":["a",]}`, `{"l":{}}`, `{"l":"a"}`, `{"m":{"a":1}}`, `{"m":[]}`, `{"m":5}`, `{"p":[]}`, `{"t":[[]]}`, `{"t":[{},7]}`,
	`{"s":"a",}`, "{\"s\":\"\n\"}", `{"s":"\x"}`, `{"s":"\u12"}`, `{"s":"\u+123"}`, `{"s" "a"}`, `{s:"a"}`,
	`{"unknown":nul}`, `{"b":tru}`, `{"s":1,"i":}`, `{"s":"a","s":}`,
	strings.Repeat(`{"p":`, 100) + `{}` + strings.Repeat(`}`, 100),
	strings.Repeat(`[`, maxNesting+1), strings.Repeat(`{"x":[`, maxNesting/2) + strings.Repeat(`]}`, maxNesting/2),
	strings.Repeat(`{"x":[`, maxNesting/2) + `{}` + strings.Repeat(`]}`, maxNesting/2),
}

func TestDecode(t *testing.T) {
	for _, raw := range documents {
		same[sample](t, []byte(raw))
	}
}

// same holds Decode against encoding/json, which sees another document where names are not
// exact, and none where one appears twice.
func same[T any](t *testing.T, raw []byte) {
	t.Helper()
	var got, want T
	gotErr := Decode(raw, &got)
	exact, twice := strict(raw, reflect.TypeFor[T]())
	wantErr := json.Unmarshal(exact, &want)
	if te := (*TypeError)(nil); twice && errors.As(gotErr, &te) {
		return // which is one of two faults
	}
	if de := (*DuplicateError)(nil); twice != errors.As(gotErr, &de) {
		t.Fatalf("Decode(%.1000s): %v, twice: %v", raw, gotErr, twice)
	} else if twice {
		return
	}
	if !sameError(gotErr, wantErr) {
		t.Fatalf("Decode(%.1000s): %v, want %v", raw, gotErr, wantErr)
	}
	if gotErr != nil && !reflect.ValueOf(got).IsZero() {
		t.Errorf("Decode(%.1000s): %#v in spite of %v", raw, got, gotErr)
	}
	if gotErr == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("Decode(%.1000s):\n got %#v\nwant %#v", raw, got, want)
	}
	if gotErr == nil {
		sameText(t, got)
	}
}

// sameError compares errors; encoding/json knows the place of its own only roughly.
func sameError(got, want error) bool {
	te, wrong := errors.AsType[*TypeError](got)
	jte, jwrong := errors.AsType[*json.UnmarshalTypeError](want)
	switch {
	case got == nil || want == nil:
		return got == nil && want == nil
	case wrong && jwrong:
		return te.Value == jte.Value && te.Type == jte.Type
	}
	if se, is := errors.AsType[*SyntaxError](got); is {
		return sameFault(se, want)
	}
	return wrong == jwrong && got.Error() == want.Error()
}

// sameFault compares errors of syntax. encoding/json counts the byte that can't stand there as
// read, and takes the end of a document in the middle of a word, a number or an escape for a blank.
func sameFault(got *SyntaxError, want error) bool {
	jse, is := errors.AsType[*json.SyntaxError](want)
	if is && got.Error() == "unexpected end of JSON input" {
		return got.Offset == int(jse.Offset) && (jse.Error() == got.Error() || strings.HasPrefix(jse.Error(), "invalid character ' ' "))
	}
	return is && jse.Error() == got.Error() && got.Offset == int(jse.Offset)-1
}

// strict renames the members of a document that encoding/json would take for others, with
// nothing of the decoder's, and tells whether a name appears twice. What is not JSON it
// returns as it is.
func strict(raw []byte, t reflect.Type) (exact []byte, twice bool) {
	if !json.Valid(raw) {
		return raw, false
	}
	s := strictness{raw: raw, tokens: json.NewDecoder(bytes.NewReader(raw))}
	s.tokens.UseNumber()
	s.value(t)
	return append(s.exact, raw[s.copied:]...), s.twice
}

type strictness struct {
	raw    []byte
	tokens *json.Decoder
	exact  []byte
	copied int
	twice  bool
}

// value reads the next value, which is decoded to a t; nil is a type without names.
func (s *strictness) value(t reflect.Type) {
	token, err := s.tokens.Token()
	if err != nil {
		panic(err)
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		t = nil
	}
	switch token {
	case json.Delim('{'):
		seen := map[string]bool{}
		for s.tokens.More() {
			s.member(t, seen)
		}
	case json.Delim('['):
		for s.tokens.More() {
			if t != nil && t.Kind() == reflect.Slice {
				s.value(t.Elem())
			} else {
				s.value(nil)
			}
		}
	default:
		return
	}
	if _, err := s.tokens.Token(); err != nil {
		panic(err)
	}
}

func (s *strictness) member(t reflect.Type, seen map[string]bool) {
	begin := s.tokens.InputOffset()
	token, err := s.tokens.Token()
	if err != nil {
		panic(err)
	}
	name, end := token.(string), s.tokens.InputOffset()
	s.twice = s.twice || seen[name]
	seen[name] = true
	switch {
	case t == nil:
	case t.Kind() == reflect.Map:
		s.value(t.Elem())
		return
	case t.Kind() == reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			known, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if known == "" && !f.Anonymous {
				known = f.Name
			}
			if known == name && known != "" && known != "-" {
				s.value(f.Type)
				return
			}
		}
		begin += int64(bytes.IndexByte(s.raw[begin:], '"'))
		s.exact = append(append(s.exact, s.raw[s.copied:begin]...), `"no name of any member"`...)
		s.copied = int(end)
	}
	s.value(nil)
}

// TestFolded: a member in other capitals is ignored, and reported.
func TestFolded(t *testing.T) {
	for _, c := range []struct {
		raw, text string
		folded    []Folded
	}{
		{`{"s":"a","S":"b"}`, "a", []Folded{{9, "s"}}},
		{`{"S":null,"s":"a"}`, "a", []Folded{{1, "s"}}},
		{`{"s":"a","ſ":null}`, "a", []Folded{{9, "s"}}},
		{`{"plain":7,"ſ":7,"s":"a","other":{"S":1}}`, "a", []Folded{{1, "Plain"}, {11, "s"}}},
		{`{"\u0073":"a","\u0053":"b"}`, "a", []Folded{{14, "s"}}},
		{`{"p":{"L":[]},"s":"a","x":1}`, "a", []Folded{{6, "l"}}},
	} {
		var s sample
		report, err := DecodeReporting([]byte(c.raw), &s, nil)
		if err != nil || s.S != c.text || s.Plain != 0 || !reflect.DeepEqual(report.Folded, c.folded) {
			t.Errorf("%s: %+v, %v, %v", c.raw, s, report.Folded, err)
		}
	}
	type kelvin struct {
		Key string `json:"key"`
	}
	var k kelvin
	report, err := DecodeReporting([]byte(`{"\u212aey":"folds to k","key":"a","Key":""}`), &k, nil)
	if err != nil || k.Key != "a" || len(report.Folded) != 2 {
		t.Errorf("%+v, %v, %v", k, report.Folded, err)
	}
}

func TestDuplicates(t *testing.T) {
	for _, c := range []struct {
		raw           string
		first, second int
	}{
		{`{"s":"a","s":"b"}`, 1, 9},
		{`{"s":null,"b":true, "s" :null}`, 1, 20},
		{`{"m":{"k":"","x":"","k":""}}`, 6, 20},
		{`{"p":{"t":[{"x":[],"x":[]}]}}`, 12, 19},
		{`{"x":{"a":1,"b":2,"a":3}}`, 6, 18},
		{`{"s":"","\u0073":""}`, 1, 8},
		{`{"a":0,"k":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i2":0,"j":0,"i2":0}`, 49, 62},
		{`{"x":{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"d":0}}`, 24, 66},
	} {
		var de *DuplicateError
		if err := Decode([]byte(c.raw), new(sample)); !errors.As(err, &de) || de.First != c.first || de.Second != c.second {
			t.Errorf("%s: %#v", c.raw, err)
		}
		if raw := `{"unknown":` + c.raw + `}`; DecodePart([]byte(raw), new(sample)) != nil {
			t.Errorf("DecodePart(%s) looked at what it does not take", raw)
		}
	}
}

// TestTypeError has the places, which encoding/json doesn't tell exactly.
func TestTypeError(t *testing.T) {
	for raw, want := range map[string]int{
		`{"s": 5}`: 6, `{"l":["a", {}]}`: 11, `[]`: 0, `{"i":  128}`: 7, `{"u":-1}`: 5, `{"b":"x"}`: 5, `{"m":{"a": []}}`: 11, `{"f": "x"}`: 6,
	} {
		var te *TypeError
		if err := Decode([]byte(raw), new(sample)); !errors.As(err, &te) || te.Offset != want {
			t.Errorf("%s: %#v", raw, err)
		}
	}
}

func TestMissing(t *testing.T) {
	required := func(t reflect.Type) string {
		if t == reflect.TypeFor[sample]() {
			return "s u"
		}
		return ""
	}
	for raw, want := range map[string][]Missing{
		`null`:                         nil,
		`{"s":"","u":0}`:               nil,
		`{"s":"","u":null}`:            {{0, "u", sample{}}},
		`{"s":"","u":0,"t":[null]}`:    {{19, "s", sample{}}, {19, "u", sample{}}},
		` {"S":"","b":true}`:           {{1, "s", sample{B: true}}, {1, "u", sample{B: true}}},
		`{"s":"","u":0,"t":[{"u":0}]}`: {{19, "s", sample{U: new(uint16)}}},
	} {
		var s sample
		report, err := DecodeReporting([]byte(raw), &s, required)
		if err != nil || !reflect.DeepEqual(report.Missing, want) {
			t.Errorf("%s: %+v, %v", raw, report.Missing, err)
		}
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
	got, gotErr = EncodeIndented(value, "  ")
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
		sample{Time: time.Unix(1, 5).UTC(), F: 1.5, Any: []int{1}}, [2]int{1, 2},
		[]float64{0, 0.01, 1e-7, 1e20, 1e21, -2.5, 100, math.MaxFloat64, math.Copysign(0, -1)}, []any{nil, 1, "\\", []int{}, map[string]any{}}, math.Inf(1),
		[]sample(nil), (*sample)(nil), map[string]int{}, nil,
		"x", 5, true, func() {}, math.NaN(), sample{Raw: json.RawMessage("\"\\\\\" ")}, sample{Raw: json.RawMessage("{\"\u2028 \u2029\u202a\xff\" :\r\n\t\"& \\\" \"}")},
		[]float32{0, 0.1, 1e-6, 1e-7, 1e20, 1e21, math.MaxFloat32, -math.SmallestNonzeroFloat32}, "\b\f\u2028\u2029\u202aü😀\x7f\x1f\xe2\x80\xa8\xe2\x80",
		[]part{{}}, [2]part{}, map[string]any{"\xff": 1, "<": nil, "ü": ""}, Raw(nil), []any{Raw(`[1, "<"]`), &specs.Spec{Hostname: "\u2028"}},
	} {
		sameText(t, value)
	}
	for _, value := range []any{ // that encoding/json takes
		[]byte("x"), map[int]int{1: 2}, odd{7}, zeros{}, zeros{part{1}, []int{}, time.Unix(1, 0).UTC(), &epoch}, zeros{Time: epoch}, nested(501),
	} {
		if text, err := Encode(value); err == nil {
			t.Errorf("Encode(%#v) = %s: it is said to be refused", value, text)
		}
	}
	sameText(t, nested(499))
}

// nested is a list in a list in a list.
func nested(depth int) any {
	list := []any{}
	for range depth {
		list = []any{list}
	}
	return list
}

// TestEngines: what engines write comes out as from encoding/json.
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
		if err := Decode(raw, new(specs.Spec)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		same[specs.Spec](t, raw)
	}
}

// TestNotEmpty: nothing is merged into what is there.
func TestNotEmpty(t *testing.T) {
	s := sample{S: "old", B: true}
	for _, value := range []any{&s, s, nil, (*sample)(nil)} {
		if err := Decode([]byte(`{"s":"new"}`), value); err == nil || s.S != "old" {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// TestTypes: none of the specification's types decodes itself from a string or a number, has
// options that are not known here, or is of a kind that is not decoded.
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
		case reflect.Array, reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.Func, reflect.Uintptr, reflect.UnsafePointer:
			t.Errorf("%s is not decoded", at)
		case reflect.Pointer, reflect.Slice, reflect.Map:
			if at.Kind() == reflect.Slice && at.Elem().Kind() == reflect.Uint8 {
				t.Errorf("%s is not decoded", at)
			}
			visit(at.Elem())
		case reflect.Interface:
			if at.NumMethod() > 0 {
				t.Errorf("%s is not decoded", at)
			}
		case reflect.Struct:
			if n := at.NumField(); n > 64 {
				t.Errorf("%s has %d fields", at, n)
			}
			for f := range at.Fields() {
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
	for _, raw := range documents {
		if len(raw) < 1000 { // for longer ones, finding a shorter one takes minutes
			f.Add([]byte(raw))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		same[sample](t, raw)
		same[specs.Spec](t, raw)
	})
}

func FuzzEncode(f *testing.F) {
	f.Add("<&>\u2028\xff", 1e-7, " [1, \"\\\\\"] ")
	f.Fuzz(func(t *testing.T, s string, number float64, raw string) {
		sameText(t, map[string]any{s: sample{S: s, F: number, Small: float32(number), Raw: json.RawMessage(raw), M: map[string]string{s: raw}}})
		sameText(t, []any{Raw(raw), number, s, float32(number)})
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
