package oncejson

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// maxNesting is how deep encoding/json goes.
const maxNesting = 10000

// unmarshaler is json.Unmarshaler: what decodes itself, such as time.Time.
type unmarshaler interface{ UnmarshalJSON([]byte) error }

// decoder reads a document from its beginning to its end. Its methods return false where
// that fails, and err then says why unless it is the syntax.
type decoder struct {
	text     string
	at       int
	depth    int
	part     bool // what is not taken is not looked at
	mended   bool // the text is not UTF-8 everywhere: strings are made so
	types    map[reflect.Type]*object
	lists    lists
	required func(t reflect.Type) string
	report   Report
	err      error
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
	kind := to.Kind()
	if kind == reflect.Struct || kind == reflect.Slice {
		if own, ok := to.Addr().Interface().(unmarshaler); ok {
			return d.itself(own)
		}
	}
	if c == 'n' {
		return d.word("null")
	}
	switch kind {
	case reflect.Pointer:
		pointed := reflect.New(to.Type().Elem())
		if !d.value(pointed.Elem()) {
			return false
		}
		to.Set(pointed)
		return true
	case reflect.Struct:
		return c == '{' && d.object(to) || c != '{' && d.wrong(to)
	case reflect.Map:
		return c == '{' && d.dictionary(to) || c != '{' && d.wrong(to)
	case reflect.Slice:
		if to.Type().Elem().Kind() != reflect.Uint8 { // that would be base64
			return c == '[' && d.array(to) || c != '[' && d.wrong(to)
		}
	case reflect.Interface:
		if to.NumMethod() == 0 {
			value, ok := d.any()
			if ok {
				to.Set(reflect.ValueOf(value))
			}
			return ok
		}
	}
	return d.scalar(to, c)
}

func (d *decoder) scalar(to reflect.Value, c byte) bool {
	switch to.Kind() {
	case reflect.String:
		if c != '"' {
			return d.wrong(to)
		}
		s, ok := d.str()
		to.SetString(s)
		return ok
	case reflect.Bool:
		is := d.word("true")
		to.SetBool(is)
		return is || d.word("false") || d.wrong(to)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		begin := d.at
		n, err := strconv.ParseInt(d.number(), 10, to.Type().Bits())
		to.SetInt(n)
		return err == nil || d.wrongAt(begin, to)
	case reflect.Float32, reflect.Float64:
		begin := d.at
		n, err := strconv.ParseFloat(d.number(), to.Type().Bits())
		to.SetFloat(n)
		return err == nil || d.wrongAt(begin, to)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		begin := d.at
		n, err := strconv.ParseUint(d.number(), 10, to.Type().Bits())
		to.SetUint(n)
		return err == nil || d.wrongAt(begin, to)
	}
	d.err = fmt.Errorf("decode JSON into a value of type %v: unsupported type", to.Type())
	return false
}

// wrong notes that the value is of another type than the one to decode to.
func (d *decoder) wrong(to reflect.Value) bool { return d.wrongAt(d.at, to) }

func (d *decoder) wrongAt(begin int, to reflect.Value) bool {
	d.at = begin
	is := ""
	switch c := d.next(); c {
	case '"':
		is = "string"
	case '{':
		is = "object"
	case '[':
		is = "array"
	case 't', 'f':
		is = "bool"
	default:
		is = "number"
		if to.CanInt() || to.CanUint() || to.CanFloat() {
			is += " " + d.number()
		}
	}
	d.err = &TypeError{begin, is, to.Type()}
	return false
}

// any decodes what can be anything, as encoding/json does: a number is a float64, an object a
// map[string]any. An error has been noted if ok is false, or is one of syntax.
func (d *decoder) any() (value any, ok bool) {
	switch d.next() {
	case '{':
		object := map[string]any{}
		begin := d.at
		return object, d.members(func(name string, at int) bool {
			if _, there := object[name]; there {
				return d.twice(begin, name, at)
			}
			object[name], ok = d.any()
			return ok
		})
	case '[':
		array := []any{}
		return array, d.elements(func() bool {
			element, ok := d.any()
			array = append(array, element)
			return ok
		})
	case '"':
		return d.str()
	case 't', 'f':
		is := d.word("true")
		return is, is || d.word("false")
	case 'n':
		return nil, d.word("null")
	}
	var number float64
	return number, d.scalar(reflect.ValueOf(&number).Elem(), d.next())
}

// itself has a value decode the text that stands for it, such as Raw.
func (d *decoder) itself(to unmarshaler) bool {
	begin := d.at
	if !d.skip() {
		return false
	}
	d.err = to.UnmarshalJSON([]byte(d.text[begin:d.at]))
	return d.err == nil
}

// members calls each with the name of every member of an object, and where that begins.
func (d *decoder) members(each func(name string, at int) bool) bool {
	if d.depth++; d.depth > maxNesting || !d.take('{') {
		return false
	}
	if d.next() != '}' {
		for more := true; more; more = d.take(',') {
			if d.next() != '"' {
				return false
			}
			begin := d.at
			name, ok := d.str()
			if !ok || !d.take(':') || !each(name, begin) {
				return false
			}
		}
	}
	d.depth--
	return d.take('}')
}

func (d *decoder) object(to reflect.Value) bool {
	begin, is := d.at, d.objectOf(to.Type())
	var seen, there uint64
	var others names
	ok := d.members(func(name string, at int) bool {
		for i := range is.fields {
			f := &is.fields[i]
			if f.name != name {
				continue
			}
			if seen&(1<<i) != 0 {
				return d.twice(begin, name, at)
			}
			seen |= 1 << i
			if d.next() != 'n' {
				there |= 1 << i
			}
			if len(f.index) == 1 {
				return d.value(to.Field(f.index[0]))
			}
			return d.value(to.FieldByIndex(f.index))
		}
		return d.other(is, name, at, begin, &others)
	})
	if ok {
		d.complete(is, there, begin, to)
	}
	return ok
}

// other takes a member that has no place in the object that begins at begin.
func (d *decoder) other(is *object, name string, at, begin int, others *names) bool {
	if d.part {
		return d.skip()
	}
	if !others.add(name) {
		return d.twice(begin, name, at)
	}
	d.report.Unknown = append(d.report.Unknown, Unknown{at, is})
	for i := range is.fields {
		if strings.EqualFold(is.fields[i].name, name) {
			d.report.Folded = append(d.report.Folded, Folded{at, is.fields[i].name})
			break
		}
	}
	return d.skip()
}

// complete reports the members that an object lacks.
func (d *decoder) complete(is *object, there uint64, begin int, to reflect.Value) {
	if missing := is.required &^ there; missing != 0 {
		for i := range is.fields {
			if missing&(1<<i) != 0 {
				d.report.Missing = append(d.report.Missing, Missing{begin, is.fields[i].name, to.Interface()})
			}
		}
	}
}

func (d *decoder) dictionary(to reflect.Value) bool {
	t, begin := to.Type(), d.at
	if t.Key().Kind() != reflect.String {
		return d.wrong(to)
	}
	to.Set(reflect.MakeMap(t))
	return d.members(func(name string, at int) bool {
		key := reflect.ValueOf(name).Convert(t.Key())
		if to.MapIndex(key).IsValid() {
			return d.twice(begin, name, at)
		}
		element := reflect.New(t.Elem()).Elem()
		if !d.element(element) {
			return false
		}
		to.SetMapIndex(key, element)
		return true
	})
}

func (d *decoder) array(to reflect.Value) bool {
	if list, ok := to.Addr().Interface().(*[]string); ok {
		return d.texts(list)
	}
	to.Set(reflect.MakeSlice(to.Type(), 0, 0))
	return d.elements(func() bool {
		n := to.Len()
		to.Grow(1)
		to.SetLen(n + 1)
		return d.element(to.Index(n))
	})
}

// texts decodes an array of strings, which most arrays are: reflection would take half of the time.
func (d *decoder) texts(to *[]string) bool {
	list := []string{}
	ok := d.elements(func() bool {
		switch d.next() {
		case '"':
			s, ok := d.str()
			list = append(list, s)
			return ok
		case 'n':
			list = append(list, "")
			return d.word("null")
		}
		return d.wrong(reflect.ValueOf(""))
	})
	*to = list
	return ok
}

// element decodes what an array or a map holds, where null is an object that lacks all.
func (d *decoder) element(to reflect.Value) bool {
	if d.next() == 'n' && to.Kind() == reflect.Struct {
		d.complete(d.objectOf(to.Type()), 0, d.at, to)
	}
	return d.value(to)
}

// elements calls each before every element of an array.
func (d *decoder) elements(each func() bool) bool {
	if d.depth++; d.depth > maxNesting || !d.take('[') {
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

// skip takes any value.
func (d *decoder) skip() bool {
	switch d.next() {
	case '{':
		return d.skipObject()
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
	return d.number() != ""
}

func (d *decoder) skipObject() bool {
	if d.part {
		return d.members(func(string, int) bool { return d.skip() })
	}
	begin := d.at
	var seen names
	return d.members(func(name string, at int) bool {
		if !seen.add(name) {
			return d.twice(begin, name, at)
		}
		return d.skip()
	})
}

// twice notes that the object that begins at begin has a name a second time.
func (d *decoder) twice(begin int, name string, second int) bool {
	again := decoder{text: d.text, at: begin, part: true, mended: d.mended}
	first := second
	again.members(func(n string, at int) bool {
		first = at
		return n != name && again.skip()
	})
	d.err = &DuplicateError{name, first, second}
	return false
}
