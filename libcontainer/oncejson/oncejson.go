// Package oncejson reads and writes plain JSON as encoding/json does, in a process that does
// so once for each type.
//
// encoding/json prepares a table for each type that it meets, of names, folded names,
// options and functions. That pays for a server. A command that reads one config.json and
// ends spends nine tenths of the decoding on it, and of the encoding of its record. Here,
// nothing is prepared but the names.
//
// There is no second dialect of JSON: what is out of the ordinary (an error, a name in
// other capitals, one that comes twice, half of a surrogate pair) is left to encoding/json,
// which alone says what is wrong with a document. FuzzDecode holds that the rest comes out
// the same, both ways.
package oncejson

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Decode is json.Unmarshal.
func Decode(raw []byte, value any) error {
	if plain(raw, value) {
		return nil
	}
	return json.Unmarshal(raw, value)
}

// maxDepth bounds the nesting of what is decoded here.
const maxDepth = 64

// decoder reads a document from its beginning to its end. Its methods return false where
// they are not sure.
type decoder struct {
	text  string
	at    int
	depth int
	names map[reflect.Type][]field
}

// plain decodes the document if it is plain and value is empty. If not, value is as it was.
func plain(raw []byte, value any) bool {
	to := reflect.ValueOf(value)
	if to.Kind() != reflect.Pointer || to.IsNil() || !to.Elem().IsZero() || !utf8.Valid(raw) {
		return false
	}
	to = to.Elem()
	d := decoder{text: string(raw), names: make(map[reflect.Type][]field, 16)}
	if d.value(to) && d.next() == 0 && d.at == len(d.text) {
		return true
	}
	to.SetZero()
	return false
}

// next skips white space and tells the byte after it, which is 0 at the end.
func (d *decoder) next() byte {
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take skips white space and the byte c.
func (d *decoder) take(c byte) bool {
	if d.next() != c || d.at == len(d.text) {
		return false
	}
	d.at++
	return true
}

// word takes a literal name.
func (d *decoder) word(w string) bool {
	if !strings.HasPrefix(d.text[d.at:], w) {
		return false
	}
	d.at += len(w)
	return true
}

// value decodes into an empty value.
func (d *decoder) value(to reflect.Value) bool {
	c := d.next()
	if k := to.Kind(); k == reflect.Struct || k == reflect.Slice {
		if own, ok := to.Addr().Interface().(json.Unmarshaler); ok {
			return c != 'n' && d.itself(own)
		}
	}
	if c == 'n' {
		return d.word("null")
	}
	switch to.Kind() {
	case reflect.Pointer:
		pointed := reflect.New(to.Type().Elem())
		if !d.value(pointed.Elem()) {
			return false
		}
		to.Set(pointed)
		return true
	case reflect.Struct:
		return d.object(to)
	case reflect.Map:
		return d.dictionary(to)
	case reflect.Slice:
		return d.array(to)
	}
	return d.scalar(to)
}

func (d *decoder) scalar(to reflect.Value) bool {
	switch to.Kind() {
	case reflect.String:
		s, ok := d.str()
		to.SetString(s)
		return ok
	case reflect.Bool:
		is := d.word("true")
		to.SetBool(is)
		return is || d.word("false")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(d.integer(), 10, to.Type().Bits())
		to.SetInt(n)
		return err == nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(d.integer(), 10, to.Type().Bits())
		to.SetUint(n)
		return err == nil
	}
	return false
}

// members calls each with the name of every member of an object.
func (d *decoder) members(each func(name string) bool) bool {
	if d.depth++; d.depth > maxDepth || !d.take('{') {
		return false
	}
	if d.next() != '}' {
		for more := true; more; more = d.take(',') {
			if d.next() != '"' {
				return false
			}
			name, ok := d.str()
			if !ok || !d.take(':') || !each(name) {
				return false
			}
		}
	}
	d.depth--
	return d.take('}')
}

func (d *decoder) object(to reflect.Value) bool {
	fields := fieldsOf(to.Type(), d.names)
	var seen uint64
	return d.members(func(name string) bool {
		for i := range fields {
			if fields[i].name != name {
				continue
			}
			if i >= 64 || seen&(1<<i) != 0 || fields[i].strange {
				return false
			}
			seen |= 1 << i
			return d.value(to.FieldByIndex(fields[i].index))
		}
		for i := range fields {
			if strings.EqualFold(fields[i].name, name) {
				return false
			}
		}
		return d.skip()
	})
}

func (d *decoder) dictionary(to reflect.Value) bool {
	t := to.Type()
	if t.Key().Kind() != reflect.String {
		return false
	}
	to.Set(reflect.MakeMap(t))
	return d.members(func(name string) bool {
		key := reflect.ValueOf(name).Convert(t.Key())
		if to.MapIndex(key).IsValid() {
			return false
		}
		element := reflect.New(t.Elem()).Elem()
		if !d.value(element) {
			return false
		}
		to.SetMapIndex(key, element)
		return true
	})
}

func (d *decoder) array(to reflect.Value) bool {
	if to.Type().Elem().Kind() == reflect.Uint8 { // base64
		return false
	}
	to.Set(reflect.MakeSlice(to.Type(), 0, 0))
	return d.elements(func() bool {
		n := to.Len()
		to.Grow(1)
		to.SetLen(n + 1)
		return d.value(to.Index(n))
	})
}

// elements calls each before every element of an array.
func (d *decoder) elements(each func() bool) bool {
	if d.depth++; d.depth > maxDepth || !d.take('[') {
		return false
	}
	if d.next() != ']' {
		for more := true; more; more = d.take(',') {
			if !each() {
				return false
			}
		}
	}
	d.depth--
	return d.take(']')
}

// itself has a value decode the text that stands for it, such as json.RawMessage.
func (d *decoder) itself(to json.Unmarshaler) bool {
	begin := d.at
	return d.skip() && to.UnmarshalJSON([]byte(d.text[begin:d.at])) == nil
}

// skip takes any value.
func (d *decoder) skip() bool {
	switch d.next() {
	case '{':
		return d.members(func(string) bool { return d.skip() })
	case '[':
		return d.elements(d.skip)
	case '"':
		_, ok := d.str()
		return ok
	case 't':
		return d.word("true")
	case 'f':
		return d.word("false")
	case 'n':
		return d.word("null")
	}
	return d.integer() != ""
}
