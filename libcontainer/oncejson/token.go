package oncejson

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
)

// integer takes the digits of a number without fraction and exponent, RFC 8259 section 6,
// or returns nothing.
func (d *decoder) integer() string {
	begin := d.at
	digits := strings.TrimPrefix(d.text[begin:], "-")
	n := 0
	for n < len(digits) && digits[n] >= '0' && digits[n] <= '9' {
		n++
	}
	if n == 0 || digits[0] == '0' && n > 1 || n < len(digits) && strings.IndexByte(".eE", digits[n]) >= 0 {
		return ""
	}
	d.at = len(d.text) - len(digits) + n
	return d.text[begin:d.at]
}

// str takes a string.
func (d *decoder) str() (s string, ok bool) {
	if !d.word(`"`) {
		return "", false
	}
	for i := d.at; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '"':
			s, d.at = d.text[d.at:i], i+1
			return s, true
		case c == '\\':
			return d.escaped(i)
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// letters are the escapes of one letter, RFC 8259 section 7.
var letters = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped takes the rest of a string whose first backslash is at first.
func (d *decoder) escaped(first int) (string, bool) {
	var s strings.Builder
	s.WriteString(d.text[d.at:first])
	for i := first; i < len(d.text); i++ {
		c := d.text[i]
		switch {
		case c == '"':
			d.at = i + 1
			return s.String(), true
		case c < ' ':
			return "", false
		case c != '\\':
			s.WriteByte(c)
			continue
		}
		if i++; i == len(d.text) {
			return "", false
		}
		if letter := letters[d.text[i]]; letter != 0 {
			s.WriteByte(letter)
			continue
		}
		r, ok := d.unit(i)
		if !ok {
			return "", false
		}
		s.WriteRune(r)
		i += 4
	}
	return "", false
}

// unit reads the four digits behind the u of an escape. Half of a surrogate pair it does
// not take.
func (d *decoder) unit(at int) (rune, bool) {
	if d.text[at] != 'u' || len(d.text)-at < 5 {
		return 0, false
	}
	n, err := strconv.ParseUint(d.text[at+1:at+5], 16, 16)
	return rune(n), err == nil && !utf16.IsSurrogate(rune(n))
}

// field is a member of a struct.
type field struct {
	name      string
	index     []int // for reflect.Value.FieldByIndex
	omitEmpty bool
	omitZero  bool
	strange   bool // has an option that is not known here, or says itself what zero is
}

// zeroer is what omitzero asks, where a type has it.
type zeroer interface{ IsZero() bool }

// fieldsOf lists the members of a struct, those of an embedded struct included.
func fieldsOf(t reflect.Type, known map[reflect.Type][]field) []field {
	list, ok := known[t]
	if ok {
		return list
	}
	list = make([]field, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(f.Type, known) {
				inner.index = append([]int{i}, inner.index...)
				list = append(list, inner)
			}
			continue
		}
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		member := field{name: name, index: f.Index}
		switch option {
		case "":
		case "omitempty":
			member.omitEmpty = true
		case "omitzero":
			member.omitZero = true
			member.strange = reflect.PointerTo(f.Type).Implements(reflect.TypeFor[zeroer]())
		default:
			member.strange = true
		}
		list = append(list, member)
	}
	known[t] = list
	return list
}
