package dbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Encoder writes values with the alignment that their types have from the beginning of a message or
// body. Its zero value is ready to use. An error is kept, see [Encoder.Err].
type Encoder struct {
	buf []byte
	err error
}

// Bytes gives what has been written.
func (e *Encoder) Bytes() []byte { return e.buf }

// Err gives the first error.
func (e *Encoder) Err() error { return e.err }

// Align writes zeros up to a multiple of n.
func (e *Encoder) Align(n int) {
	for len(e.buf)%n != 0 {
		e.buf = append(e.buf, 0)
	}
}

func (e *Encoder) u16(v uint16) {
	e.Align(2)
	e.buf = binary.LittleEndian.AppendUint16(e.buf, v)
}

// u32 writes type u.
func (e *Encoder) u32(v uint32) {
	e.Align(4)
	e.buf = binary.LittleEndian.AppendUint32(e.buf, v)
}

func (e *Encoder) u64(v uint64) {
	e.Align(8)
	e.buf = binary.LittleEndian.AppendUint64(e.buf, v)
}

// String writes types s and o. The specification allows neither a zero byte nor what is not UTF-8,
// and systemd hangs up on a client that sends such a thing.
func (e *Encoder) String(s string) {
	if e.err == nil && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
		e.err = fmt.Errorf("D-Bus: %q is not UTF-8 without zero bytes", s)
	}
	e.u32(uint32(len(s)))
	e.buf = append(append(e.buf, s...), 0)
}

func (e *Encoder) signature(s string) {
	if len(s) > math.MaxUint8 {
		e.err = errors.New("D-Bus: signature is longer than 255 bytes")
		return
	}
	e.buf = append(append(append(e.buf, byte(len(s))), s...), 0)
}

// Array writes an array whose elements align to n; elements writes them.
func (e *Encoder) Array(n int, elements func()) {
	e.u32(0)
	length := len(e.buf) - 4
	e.Align(n)
	start := len(e.buf)
	elements()
	binary.LittleEndian.PutUint32(e.buf[length:], uint32(len(e.buf)-start))
}

// Variant writes a value with its type.
func (e *Encoder) Variant(v any) {
	sig := Signature(v)
	if sig == "" {
		if e.err == nil {
			e.err = fmt.Errorf("D-Bus: no type for a %T", v)
		}
		return
	}
	e.signature(sig)
	e.Value(v)
}

// Signature tells the D-Bus type of a Go value that [Encoder.Value] can write; "" is none.
func Signature(v any) string {
	switch v.(type) {
	case string:
		return "s"
	case bool:
		return "b"
	case byte:
		return "y"
	case int16:
		return "n"
	case uint16:
		return "q"
	case int32:
		return "i"
	case uint32:
		return "u"
	case int64:
		return "x"
	case uint64:
		return "t"
	case float64:
		return "d"
	case []string:
		return "as"
	case []byte:
		return "ay"
	case []uint32:
		return "au"
	case []uint64:
		return "at"
	case [][2]string:
		return "a(ss)"
	}
	return ""
}

// Value writes a value of one of the types of [Signature].
func (e *Encoder) Value(v any) {
	switch v := v.(type) {
	case string:
		e.String(v)
	case bool:
		n := uint32(0)
		if v {
			n = 1
		}
		e.u32(n)
	case byte:
		e.buf = append(e.buf, v)
	case int16:
		e.u16(uint16(v))
	case uint16:
		e.u16(v)
	case int32:
		e.u32(uint32(v))
	case uint32:
		e.u32(v)
	case int64:
		e.u64(uint64(v))
	case uint64:
		e.u64(v)
	case float64:
		e.u64(math.Float64bits(v))
	default:
		e.list(v)
	}
}

func (e *Encoder) list(v any) {
	switch v := v.(type) {
	case []string:
		e.Array(4, func() {
			for _, s := range v {
				e.String(s)
			}
		})
	case []byte:
		e.Array(1, func() { e.buf = append(e.buf, v...) })
	case []uint32:
		e.Array(4, func() {
			for _, n := range v {
				e.u32(n)
			}
		})
	case []uint64:
		e.Array(8, func() {
			for _, n := range v {
				e.u64(n)
			}
		})
	case [][2]string:
		e.Array(8, func() {
			for _, pair := range v {
				e.Align(8)
				e.String(pair[0])
				e.String(pair[1])
			}
		})
	}
}
