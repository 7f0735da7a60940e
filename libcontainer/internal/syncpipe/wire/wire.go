// Package wire turns plain data into bytes and back, for the messages between the
// runtime and its init process. Both ends are the same binary, so the format has no
// names, no versions and no tolerance: fields follow each other in the order in which
// Go declares them. Decoding costs init a few microseconds where JSON costs it half a
// millisecond.
//
// Plain data is: bool, integers, strings, slices, maps with string keys, pointers and
// structs of these. Anything else panics in Marshal, which a test of each plan shows.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
)

// errShort reports bytes that end before the value does.
var errShort = errors.New("message ends too early")

// Marshal encodes the value that v points to.
func Marshal(v any) []byte { return Append(make([]byte, 0, 4096), v) }

// Append encodes the value that v points to behind b.
func Append(b []byte, v any) []byte { return encode(b, reflect.ValueOf(v).Elem()) }

// Unmarshal decodes data into the value that v points to. Byte slices of the result are copies, and
// its strings parts of one copy of data: a heap that is new pays page faults for every size that it
// gives out. It fails if data is not what Marshal made of the same type.
func Unmarshal(data []byte, v any) error {
	d := decoder{rest: data, all: string(data)}
	d.decode(reflect.ValueOf(v).Elem())
	if d.err == nil && len(d.rest) != 0 {
		return fmt.Errorf("message has %d bytes too many", len(d.rest))
	}
	return d.err
}

// Cut decodes the beginning of data, which another value may follow: it returns the rest. All of
// the result are copies.
func Cut(data []byte, v any) (rest []byte, err error) {
	d := decoder{rest: data}
	d.decode(reflect.ValueOf(v).Elem())
	return d.rest, d.err
}

func encode(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return binary.AppendUvarint(b, v.Uint())
	case reflect.String:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		return append(b, v.String()...)
	case reflect.Slice:
		return encodeSlice(b, v)
	case reflect.Map:
		return encodeMap(b, v)
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, 0)
		}
		return encode(append(b, 1), v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			b = encode(b, v.Field(i))
		}
		return b
	default:
		panic("wire: " + v.Type().String() + " is not plain data")
	}
}

// A nil slice and an empty one differ (spec types give them different meanings), so the
// length is sent plus one, and zero stands for nil.
func encodeSlice(b []byte, v reflect.Value) []byte {
	if v.IsNil() {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(v.Len())+1)
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return append(b, v.Bytes()...)
	}
	for i := range v.Len() {
		b = encode(b, v.Index(i))
	}
	return b
}

func encodeMap(b []byte, v reflect.Value) []byte {
	if v.IsNil() {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(v.Len())+1)
	for it := v.MapRange(); it.Next(); {
		b = encode(b, it.Key())
		b = encode(b, it.Value())
	}
	return b
}

type decoder struct {
	rest []byte
	all  string // which strings may be parts of, or empty
	err  error
}

func (d *decoder) decode(v reflect.Value) {
	if d.err != nil {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(d.flag())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, size := binary.Varint(d.rest)
		if d.advance(size) {
			v.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(d.uint())
	case reflect.String:
		v.SetString(d.text(d.uint()))
	case reflect.Slice:
		d.decodeSlice(v)
	case reflect.Map:
		d.decodeMap(v)
	case reflect.Pointer:
		if d.flag() {
			v.Set(reflect.New(v.Type().Elem()))
			d.decode(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			d.decode(v.Field(i))
		}
	default:
		d.err = fmt.Errorf("%s is not plain data", v.Type())
	}
}

func (d *decoder) decodeSlice(v reflect.Value) {
	n, ok := d.length()
	if !ok {
		return
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		v.SetBytes(append([]byte{}, d.bytes(uint64(n))...))
		return
	}
	s := reflect.MakeSlice(v.Type(), n, n)
	for i := range n {
		d.decode(s.Index(i))
	}
	v.Set(s)
}

func (d *decoder) decodeMap(v reflect.Value) {
	n, ok := d.length()
	if !ok {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), n)
	for range n {
		key := reflect.New(v.Type().Key()).Elem()
		value := reflect.New(v.Type().Elem()).Elem()
		d.decode(key)
		d.decode(value)
		m.SetMapIndex(key, value)
	}
	v.Set(m)
}

// length reads the number of elements; ok is false for a nil slice or map. Each element
// takes a byte at least (an empty struct would not, and is not used), which bounds what a
// broken message can make us allocate.
func (d *decoder) length() (n int, ok bool) {
	u := d.uint()
	if u == 0 || d.err != nil {
		return 0, false
	}
	if u-1 > uint64(len(d.rest)) {
		d.err = errShort
		return 0, false
	}
	return int(u - 1), true
}

func (d *decoder) flag() bool {
	b := d.bytes(1)
	return len(b) == 1 && b[0] == 1
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if !d.advance(size) {
		return 0
	}
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.err = errShort
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) text(n uint64) string {
	at := len(d.all) - len(d.rest)
	b := d.bytes(n)
	if d.all == "" {
		return string(b)
	}
	return d.all[at : at+len(b)]
}

func (d *decoder) advance(size int) bool {
	if size <= 0 {
		d.err = errShort
		return false
	}
	d.rest = d.rest[size:]
	return true
}
