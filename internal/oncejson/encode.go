package oncejson

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Encode is json.Marshal.
func Encode(value any) ([]byte, error) {
	e := encoder{out: make([]byte, 0, 1024), names: make(map[reflect.Type][]field, 8)}
	if v := reflect.ValueOf(value); v.IsValid() && e.value(v, 0) {
		return e.out, nil
	}
	return json.Marshal(value)
}

// EncodeIndented is json.MarshalIndent with two blanks a level.
func EncodeIndented(value any) ([]byte, error) {
	text, err := Encode(value)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 2*len(text))
	depth, quoted := 0, false
	line := func() { out = append(append(out, '\n'), strings.Repeat("  ", depth)...) }
	for i, c := range text {
		switch {
		case c == '"' && (i == 0 || !escapes(text[:i])):
			quoted = !quoted
		case quoted:
		case (c == '}' || c == ']') && text[i-1] != c-2: // not that of an empty one
			depth--
			line()
		case c == '}' || c == ']':
			depth--
		}
		out = append(out, c)
		switch {
		case quoted:
		case c == '{' || c == '[':
			if depth++; text[i+1] != c+2 {
				line()
			}
		case c == ',':
			line()
		case c == ':':
			out = append(out, ' ')
		}
	}
	return out, nil
}

// escapes tells whether the text ends with a backslash that isn't itself escaped.
func escapes(text []byte) bool {
	n := 0
	for n < len(text) && text[len(text)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// maxDepth bounds the nesting of what is written here.
const maxDepth = 64

// encoder writes a document. Its methods return false where they are not sure.
type encoder struct {
	out   []byte
	names map[reflect.Type][]field
	lists lists
}

func (e *encoder) write(s string) bool {
	e.out = append(e.out, s...)
	return true
}

func (e *encoder) value(v reflect.Value, depth int) bool {
	if depth++; depth > maxDepth {
		return false
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return e.write("null")
	}
	if own, ok := v.Interface().(json.Marshaler); ok {
		return e.itself(own)
	}
	if v.CanAddr() {
		if own, ok := v.Addr().Interface().(json.Marshaler); ok {
			return e.itself(own)
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return e.value(v.Elem(), depth)
	case reflect.Struct:
		return e.object(v, depth)
	case reflect.Map:
		return e.dictionary(v, depth)
	case reflect.Slice:
		return e.array(v, depth)
	case reflect.Interface:
		if v.IsNil() {
			return e.write("null")
		}
		return e.value(v.Elem(), depth)
	}
	return e.scalar(v)
}

func (e *encoder) scalar(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return e.str(v.String())
	case reflect.Bool:
		return e.write(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.out = strconv.AppendInt(e.out, v.Int(), 10)
		return true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.out = strconv.AppendUint(e.out, v.Uint(), 10)
		return true
	case reflect.Float64:
		f := v.Float()
		e.out = strconv.AppendFloat(e.out, f, 'f', -1, 64)
		return f == 0 || math.Abs(f) >= 1e-6 && math.Abs(f) < 1e21 // others have exponents
	}
	return false
}

// itself has a value write the text that stands for it, which encoding/json would check and
// compact.
func (e *encoder) itself(from json.Marshaler) bool {
	text, err := from.MarshalJSON()
	if err != nil {
		return false
	}
	for _, c := range text {
		if c <= ' ' || c >= 0x7f || unsafeInHTML(c) {
			return false
		}
	}
	e.out = append(e.out, text...)
	d := decoder{text: string(text)}
	return d.skip() && d.at == len(d.text)
}

func (e *encoder) object(v reflect.Value, depth int) bool {
	e.write("{")
	first := true
	for _, f := range e.fieldsOf(v.Type()) {
		if f.strange {
			return false
		}
		member := v.FieldByIndex(f.index)
		if f.omitEmpty && isEmpty(member) || f.omitZero && member.IsZero() {
			continue
		}
		if !first {
			e.write(",")
		}
		first = false
		if !e.str(f.name) || !e.write(":") || !e.value(member, depth) {
			return false
		}
	}
	return e.write("}")
}

// fieldsOf remembers the members of a struct: a list has many of one type.
func (e *encoder) fieldsOf(t reflect.Type) []field {
	list, known := e.names[t]
	if !known {
		list = e.lists.of(t)
		e.names[t] = list
	}
	return list
}

// isEmpty is what omitempty leaves out.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func (e *encoder) dictionary(v reflect.Value, depth int) bool {
	if v.Type().Key().Kind() != reflect.String {
		return false
	}
	if v.IsNil() {
		return e.write("null")
	}
	members := make(map[string]reflect.Value, v.Len())
	for i := v.MapRange(); i.Next(); {
		members[i.Key().String()] = i.Value()
	}
	e.write("{")
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			e.write(",")
		}
		if !e.str(name) || !e.write(":") || !e.value(members[name], depth) {
			return false
		}
	}
	return e.write("}")
}

func (e *encoder) array(v reflect.Value, depth int) bool {
	if v.Type().Elem().Kind() == reflect.Uint8 { // base64
		return false
	}
	if v.IsNil() {
		return e.write("null")
	}
	e.write("[")
	for i := range v.Len() {
		if i > 0 {
			e.write(",")
		}
		if !e.value(v.Index(i), depth) {
			return false
		}
	}
	return e.write("]")
}

// str writes a string of printable ASCII, with line feeds and tabulators.
func (e *encoder) str(s string) bool {
	e.out = append(e.out, '"')
	for i := range len(s) {
		c := s[i]
		switch at := strings.IndexByte("\"\\\n\r\t", c); {
		case at >= 0:
			e.out = append(e.out, '\\', `"\nrt`[at])
		case c < ' ' || c >= 0x7f:
			return false
		case unsafeInHTML(c):
			e.out = append(e.out, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			e.out = append(e.out, c)
		}
	}
	e.out = append(e.out, '"')
	return true
}

// unsafeInHTML tells which bytes json.Marshal escapes lest a browser sees a tag in them.
func unsafeInHTML(c byte) bool { return c == '<' || c == '>' || c == '&' }
