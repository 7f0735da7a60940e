package dbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep containers may be nested (D-Bus specification, "Valid Signatures").
const maxDepth = 32

var errMalformed = errors.New("malformed D-Bus message")

// Decoder reads values; after an error it reads zeros, see [Decoder.Err].
type Decoder struct {
	buf   []byte
	pos   int
	order binary.ByteOrder
	err   error
}

// Err gives the first error.
func (d *Decoder) Err() error { return d.err }

func (d *Decoder) fail() {
	if d.err == nil {
		d.err = errMalformed
	}
}

// take gives the next n bytes; zeros, of which there are no more than the largest number has, after
// an error.
func (d *Decoder) take(n int) []byte {
	if n < 0 || n > len(d.buf)-d.pos {
		d.fail()
	}
	if d.err != nil {
		return make([]byte, min(max(n, 0), 8))
	}
	d.pos += n
	return d.buf[d.pos-n : d.pos]
}

func (d *Decoder) align(n int) {
	if over := d.pos % n; over != 0 {
		d.take(n - over)
	}
}

func (d *Decoder) byte() byte { return d.take(1)[0] }

func (d *Decoder) u16() uint16 {
	d.align(2)
	return d.order.Uint16(d.take(2))
}

// Uint32 reads type u.
func (d *Decoder) Uint32() uint32 {
	d.align(4)
	return d.order.Uint32(d.take(4))
}

func (d *Decoder) u64() uint64 {
	d.align(8)
	return d.order.Uint64(d.take(8))
}

// String reads types s and o.
func (d *Decoder) String() string { return d.text(d.Uint32()) }

func (d *Decoder) signature() string { return d.text(uint32(d.byte())) }

func (d *Decoder) text(n uint32) string {
	if n > maxMessage {
		d.fail()
		return ""
	}
	s := string(d.take(int(n)))
	if d.byte() != 0 || !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		d.fail()
	}
	if d.err != nil {
		return ""
	}
	return s
}

// complete reads a value of a single complete type: a basic one as the Go type of [Signature] (o
// and g are strings, too), the arrays that Signature knows as its slices, any other array,
// structure or dictionary entry as []any, and a variant as what is in it.
func (d *Decoder) complete(sig string) any {
	one, rest := single(sig)
	if one == "" || rest != "" {
		d.fail()
		return nil
	}
	return d.value(sig, 0)
}

func (d *Decoder) value(sig string, depth int) any {
	if depth > 2*maxDepth {
		d.fail()
		return nil
	}
	switch sig[0] {
	case 'a':
		return d.array(sig[1:], depth+1)
	case '(', '{':
		d.align(8)
		return d.fields(sig[1:len(sig)-1], depth+1)
	case 'v':
		inner := d.signature()
		if one, rest := single(inner); d.err != nil || one == "" || rest != "" {
			d.fail()
			return nil
		}
		return d.value(inner, depth+1)
	}
	return d.basic(sig[0])
}

func (d *Decoder) basic(kind byte) any {
	switch kind {
	case 's', 'o':
		return d.String()
	case 'g':
		return d.signature()
	case 'b':
		n := d.Uint32()
		if n > 1 {
			d.fail()
		}
		return n == 1
	case 'y':
		return d.byte()
	case 'n':
		return int16(d.u16())
	case 'q':
		return d.u16()
	case 'i':
		return int32(d.Uint32())
	case 'u', 'h':
		return d.Uint32()
	case 'x':
		return int64(d.u64())
	case 't':
		return d.u64()
	case 'd':
		return math.Float64frombits(d.u64())
	}
	if d.err == nil {
		d.err = fmt.Errorf("%w: type %q", errMalformed, kind)
	}
	return nil
}

// fields reads values one after the other.
func (d *Decoder) fields(sigs string, depth int) []any {
	var out []any
	for sigs != "" && d.err == nil {
		var one string
		one, sigs = single(sigs)
		out = append(out, d.value(one, depth))
	}
	return out
}

func (d *Decoder) array(sig string, depth int) any {
	size := d.Uint32()
	d.align(alignment(sig[0]))
	if size > maxMessage || int(size) > len(d.buf)-d.pos {
		d.fail()
		return nil
	}
	inner := &Decoder{buf: d.buf[:d.pos+int(size)], pos: d.pos, order: d.order, err: d.err}
	out := inner.elements(sig, depth)
	d.pos, d.err = inner.pos, inner.err
	return out
}

func (d *Decoder) elements(sig string, depth int) any {
	switch sig {
	case "y":
		return append([]byte(nil), d.take(len(d.buf)-d.pos)...)
	case "s":
		return list(d, d.String)
	case "u":
		return list(d, d.Uint32)
	case "t":
		return list(d, d.u64)
	case "(ss)":
		return list(d, func() [2]string {
			d.align(8)
			return [2]string{d.String(), d.String()}
		})
	}
	return list(d, func() any { return d.value(sig, depth) })
}

// list reads elements up to the end of d. Every type has at least one byte, except for a
// structure's padding, so that it ends.
func list[T any](d *Decoder, element func() T) (out []T) {
	for d.pos < len(d.buf) && d.err == nil {
		if v := element(); d.err == nil {
			out = append(out, v)
		}
	}
	return out
}

func alignment(kind byte) int {
	switch kind {
	case 'y', 'g', 'v':
		return 1
	case 'n', 'q':
		return 2
	case 'x', 't', 'd', '(', '{':
		return 8
	}
	return 4
}

// single splits the first complete type off a signature; it is "" if there is none.
func single(sig string) (one, rest string) {
	n := typeLength(sig, 0)
	return sig[:n], sig[n:]
}

// typeLength tells how long the first complete type of a signature is; 0 is malformed.
func typeLength(sig string, depth int) int {
	if sig == "" || depth > maxDepth {
		return 0
	}
	switch sig[0] {
	case 'a':
		if strings.HasPrefix(sig, "a{") {
			return entryLength(sig, depth+1)
		}
		if n := typeLength(sig[1:], depth+1); n > 0 {
			return 1 + n
		}
	case '(':
		for at := 1; at < len(sig); {
			if sig[at] == ')' {
				if at == 1 {
					return 0 // an empty structure
				}
				return at + 1
			}
			n := typeLength(sig[at:], depth+1)
			if n == 0 {
				return 0
			}
			at += n
		}
	default:
		if strings.IndexByte("ybnqiuxtdsogvh", sig[0]) >= 0 {
			return 1
		}
	}
	return 0
}

// entryLength is typeLength for a dictionary, a{KEY VALUE}.
func entryLength(sig string, depth int) int {
	if len(sig) < 5 || strings.IndexByte("ybnqiuxtdsogh", sig[2]) < 0 {
		return 0
	}
	n := typeLength(sig[3:], depth+1)
	if n == 0 || len(sig) <= 3+n || sig[3+n] != '}' {
		return 0
	}
	return 4 + n
}
