package oncejson

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Encode is json.Marshal, but for what nothing here has: bytes, which would be base64, maps by
// anything but strings, options of fields other than omitempty and omitzero, zeros by a method, and
// values nested in more than 1000 others. They are errors.
func Encode(value any) ([]byte, error) {
	e := encoder{out: make([]byte, 0, 1024), names: make(map[reflect.Type][]field, 8)}
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return []byte("null"), nil
	}
	if !e.value(v, 0) {
		return nil, fmt.Errorf("encode a %v as JSON: %w", v.Type(), e.err)
	}
	return e.out, nil
}

// EncodeIndented is json.MarshalIndent with an indent for each level.
func EncodeIndented(value any, indent string) ([]byte, error) {
	text, err := Encode(value)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 2*len(text))
	depth, quoted := 0, false
	line := func() { out = append(append(out, '\n'), strings.Repeat(indent, depth)...) }
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
const maxDepth = 1000

// marshaler is json.Marshaler: what says itself how it is written, such as time.Time.
type marshaler interface{ MarshalJSON() ([]byte, error) }

// encoder writes a document. Its methods return false where that fails, and err then says why.
type encoder struct {
	out   []byte
	err   error
	names map[reflect.Type][]field
	lists lists
}

func (e *encoder) write(s string) bool {
	e.out = append(e.out, s...)
	return true
}

func (e *encoder) value(v reflect.Value, depth int) bool {
	if depth++; depth > maxDepth {
		return e.refuse("more than %d levels", maxDepth)
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return e.write("null")
	}
	if own, ok := v.Interface().(marshaler); ok {
		return e.itself(own)
	}
	if v.CanAddr() {
		if own, ok := v.Addr().Interface().(marshaler); ok {
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
	case reflect.Slice, reflect.Array:
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
	case reflect.Float32, reflect.Float64:
		return e.float(v.Float(), v.Type().Bits())
	}
	return e.refuse("unsupported type %v", v.Type())
}

// float writes a number as ECMAScript does: with an exponent, of as few digits as it has, where it
// is far from one.
func (e *encoder) float(f float64, bits int) bool {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return e.refuse("unsupported value %v", f)
	}
	format := byte('f')
	switch abs := math.Abs(f); {
	case abs == 0:
	case bits == 64 && (abs < 1e-6 || abs >= 1e21), bits == 32 && (float32(abs) < 1e-6 || float32(abs) >= 1e21):
		format = 'e'
	}
	e.out = strconv.AppendFloat(e.out, f, format, -1, bits)
	if n := len(e.out); format == 'e' && e.out[n-2] == '0' && e.out[n-3] == '-' {
		e.out = append(e.out[:n-2], e.out[n-1])
	}
	return true
}

// itself has a value write the text that stands for it, which is checked and compacted.
func (e *encoder) itself(from marshaler) bool {
	text, err := from.MarshalJSON()
	if err == nil {
		err = CheckSyntax(string(text))
	}
	if err != nil {
		e.err = err
		return false
	}
	quoted, skip := false, 0
	for i, c := range text {
		switch {
		case c == '"' && (i == 0 || !escapes(text[:i])):
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		case unsafeInHTML(c):
			e.hex(rune(c))
			continue
		case c >= utf8.RuneSelf && utf8.RuneStart(c):
			if r, _ := utf8.DecodeRune(text[i:]); r == '\u2028' || r == '\u2029' {
				e.hex(r)
				skip = i + 3
			}
		}
		if i >= skip {
			e.out = append(e.out, c)
		}
	}
	return true
}

func (e *encoder) refuse(format string, args ...any) bool {
	e.err = fmt.Errorf(format, args...)
	return false
}

func (e *encoder) object(v reflect.Value, depth int) bool {
	e.write("{")
	first := true
	for _, f := range e.fieldsOf(v.Type()) {
		if f.strange {
			return e.refuse("field %q of %v has an option that is not supported", f.name, v.Type())
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
		return e.refuse("unsupported type %v", v.Type())
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
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 { // base64
		return e.refuse("unsupported type %v", v.Type())
	}
	if v.Kind() == reflect.Slice && v.IsNil() {
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

// str writes a string. As in encoding/json, each byte that is not UTF-8 becomes U+FFFD.
func (e *encoder) str(s string) bool {
	e.out = append(e.out, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			i += e.wide(s[i:])
			continue
		}
		i++
		switch at := strings.IndexByte("\"\\\n\r\t\b\f", c); {
		case at >= 0:
			e.out = append(e.out, '\\', `"\nrtbf`[at])
		case c < ' ' || unsafeInHTML(c):
			e.hex(rune(c))
		default:
			e.out = append(e.out, c)
		}
	}
	e.out = append(e.out, '"')
	return true
}

// wide writes the first character of s, which is not ASCII, and tells its length. What ends a line
// of JavaScript is escaped.
func (e *encoder) wide(s string) int {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
		e.hex(r)
	} else {
		e.write(s[:n])
	}
	return n
}

// hex writes a character as four digits.
func (e *encoder) hex(r rune) {
	const digits = "0123456789abcdef"
	e.out = append(e.out, '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// unsafeInHTML tells which bytes json.Marshal escapes lest a browser sees a tag in them.
func unsafeInHTML(c byte) bool { return c == '<' || c == '>' || c == '&' }
