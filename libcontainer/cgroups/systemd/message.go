package systemd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The D-Bus wire format (D-Bus specification, "Message Protocol"), as much of it as a client of systemd needs.

// Message types.
const (
	methodCall   = 1
	methodReturn = 2
	methodError  = 3
	signal       = 4
)

// Header fields.
const (
	fieldPath = 1 + iota
	fieldInterface
	fieldMember
	fieldErrorName
	fieldReplySerial
	fieldDestination
	fieldSender
	fieldSignature
)

// maxMessage is the largest message that is accepted. systemd's answers are short.
const maxMessage = 1 << 20

var errMalformed = errors.New("malformed D-Bus message")

// encoder writes values with the alignment that their types have from the beginning of a message or body.
type encoder struct{ buf []byte }

func (e *encoder) align(n int) {
	for len(e.buf)%n != 0 {
		e.buf = append(e.buf, 0)
	}
}

func (e *encoder) u32(v uint32) {
	e.align(4)
	e.buf = binary.LittleEndian.AppendUint32(e.buf, v)
}

func (e *encoder) u64(v uint64) {
	e.align(8)
	e.buf = binary.LittleEndian.AppendUint64(e.buf, v)
}

func (e *encoder) u16(v uint16) {
	e.align(2)
	e.buf = binary.LittleEndian.AppendUint16(e.buf, v)
}

// string writes types s and o.
func (e *encoder) string(s string) {
	e.u32(uint32(len(s)))
	e.buf = append(append(e.buf, s...), 0)
}

func (e *encoder) signature(s string) {
	e.buf = append(append(append(e.buf, byte(len(s))), s...), 0)
}

// array writes an array whose elements align to n; elements writes them.
func (e *encoder) array(n int, elements func()) {
	e.u32(0)
	length := len(e.buf) - 4
	e.align(n)
	start := len(e.buf)
	elements()
	binary.LittleEndian.PutUint32(e.buf[length:], uint32(len(e.buf)-start))
}

// variant writes a value with its type.
func (e *encoder) variant(v any) error {
	sig, err := signatureOf(v)
	if err != nil {
		return err
	}
	e.signature(sig)
	e.value(v)
	return nil
}

// signatureOf tells the D-Bus type of a Go value that encoder.value can write.
func signatureOf(v any) (string, error) {
	switch v.(type) {
	case string:
		return "s", nil
	case bool:
		return "b", nil
	case byte:
		return "y", nil
	case int16:
		return "n", nil
	case uint16:
		return "q", nil
	case int32:
		return "i", nil
	case uint32:
		return "u", nil
	case int64:
		return "x", nil
	case uint64:
		return "t", nil
	case float64:
		return "d", nil
	case []string:
		return "as", nil
	case []byte:
		return "ay", nil
	case []uint32:
		return "au", nil
	case []uint64:
		return "at", nil
	case [][2]string:
		return "a(ss)", nil
	}
	return "", fmt.Errorf("D-Bus: no type for a %T", v)
}

func (e *encoder) value(v any) {
	switch v := v.(type) {
	case string:
		e.string(v)
	case bool:
		if v {
			e.u32(1)
		} else {
			e.u32(0)
		}
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

func (e *encoder) list(v any) {
	switch v := v.(type) {
	case []string:
		e.array(4, func() {
			for _, s := range v {
				e.string(s)
			}
		})
	case []byte:
		e.array(1, func() { e.buf = append(e.buf, v...) })
	case []uint32:
		e.array(4, func() {
			for _, n := range v {
				e.u32(n)
			}
		})
	case []uint64:
		e.array(8, func() {
			for _, n := range v {
				e.u64(n)
			}
		})
	case [][2]string:
		e.array(8, func() {
			for _, pair := range v {
				e.align(8)
				e.string(pair[0])
				e.string(pair[1])
			}
		})
	}
}

// message is a received message.
type message struct {
	kind                                 byte
	reply                                uint32 // serial of the call that it answers
	path, iface, member, errName, sig, _ string
	body                                 []byte
	order                                binary.ByteOrder
}

// encodeCall makes the bytes of a method call.
func encodeCall(serial uint32, destination, path, iface, member, sig string, body []byte) []byte {
	e := &encoder{buf: []byte{'l', methodCall, 0, 1}}
	e.u32(uint32(len(body)))
	e.u32(serial)
	e.array(8, func() {
		for _, f := range [...]struct {
			code       byte
			kind, text string
		}{
			{fieldPath, "o", path}, {fieldInterface, "s", iface}, {fieldMember, "s", member},
			{fieldDestination, "s", destination}, {fieldSignature, "g", sig},
		} {
			if f.text == "" {
				continue
			}
			e.align(8)
			e.buf = append(e.buf, f.code)
			e.signature(f.kind)
			if f.kind == "g" {
				e.signature(f.text)
			} else {
				e.string(f.text)
			}
		}
	})
	e.align(8)
	return append(e.buf, body...)
}

// messageSize tells how long the message is that begins with these 16 bytes.
func messageSize(head []byte) (int, error) {
	order, err := byteOrder(head[0])
	if err != nil {
		return 0, err
	}
	body, fields := order.Uint32(head[4:]), order.Uint32(head[12:])
	if head[3] != 1 || body > maxMessage || fields > maxMessage {
		return 0, errMalformed
	}
	return 16 + (int(fields)+7)&^7 + int(body), nil
}

func byteOrder(b byte) (binary.ByteOrder, error) {
	switch b {
	case 'l':
		return binary.LittleEndian, nil
	case 'B':
		return binary.BigEndian, nil
	}
	return nil, errMalformed
}

// parseMessage takes a whole message apart.
func parseMessage(raw []byte) (*message, error) {
	if len(raw) < 16 {
		return nil, errMalformed
	}
	size, err := messageSize(raw)
	if err != nil || size != len(raw) {
		return nil, errMalformed
	}
	order, _ := byteOrder(raw[0])
	m := &message{kind: raw[1], order: order, body: raw[len(raw)-int(order.Uint32(raw[4:])):]}
	d := &decoder{buf: raw[:16+int(order.Uint32(raw[12:]))], pos: 16, order: order}
	for d.pos < len(d.buf) && d.err == nil {
		d.align(8)
		code := d.byte()
		text, number := d.basic(d.signature())
		switch code {
		case fieldPath:
			m.path = text
		case fieldInterface:
			m.iface = text
		case fieldMember:
			m.member = text
		case fieldErrorName:
			m.errName = text
		case fieldReplySerial:
			m.reply = number
		case fieldSignature:
			m.sig = text
		}
	}
	return m, d.err
}

// decoder reads values; after an error it reads zeros.
type decoder struct {
	buf   []byte
	pos   int
	order binary.ByteOrder
	err   error
}

func (m *message) decoder() *decoder { return &decoder{buf: m.body, order: m.order} }

func (d *decoder) take(n int) []byte {
	if d.err == nil && (n < 0 || n > len(d.buf)-d.pos) {
		d.err = errMalformed
	}
	if d.err != nil {
		return make([]byte, min(max(n, 0), 8))
	}
	d.pos += n
	return d.buf[d.pos-n : d.pos]
}

func (d *decoder) align(n int) {
	if over := d.pos % n; over != 0 {
		d.take(n - over)
	}
}

func (d *decoder) byte() byte { return d.take(1)[0] }

func (d *decoder) u32() uint32 {
	d.align(4)
	return d.order.Uint32(d.take(4))
}

func (d *decoder) text(n uint32) string {
	if n > maxMessage {
		d.err = errMalformed
	}
	s := string(d.take(int(n)))
	d.take(1)
	if d.err != nil {
		return ""
	}
	return s
}

func (d *decoder) string() string { return d.text(d.u32()) }

func (d *decoder) signature() string { return d.text(uint32(d.byte())) }

// basic reads a value of one of the types that the messages of interest have.
func (d *decoder) basic(sig string) (text string, number uint32) {
	switch sig {
	case "s", "o":
		return d.string(), 0
	case "g":
		return d.signature(), 0
	case "u":
		return "", d.u32()
	}
	if d.err == nil {
		d.err = fmt.Errorf("%w: type %q", errMalformed, sig)
	}
	return "", 0
}
