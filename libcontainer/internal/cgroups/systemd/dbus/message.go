package dbus

import (
	"encoding/binary"
	"fmt"
)

// Types of messages.
const (
	MethodCall = 1 + iota
	MethodReturn
	MethodError
	Signal
)

// Fields of a message's header.
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

// Message is a D-Bus message.
type Message struct {
	Kind                    byte
	Serial, Reply           uint32 // Reply is the serial of the call that it answers
	Path, Interface, Member string
	ErrorName               string
	Destination, Sender     string
	Signature               string
	Body                    []byte

	order binary.ByteOrder // of a received one
}

// Encode gives the bytes of the message, little-endian, as its body has to be.
func (m *Message) Encode() ([]byte, error) {
	e := &Encoder{buf: []byte{'l', m.Kind, 0, 1}}
	e.u32(uint32(len(m.Body)))
	e.u32(m.Serial)
	e.Array(8, func() {
		for _, f := range [...]struct {
			code byte
			kind string
			text string
		}{
			{fieldPath, "o", m.Path}, {fieldInterface, "s", m.Interface}, {fieldMember, "s", m.Member},
			{fieldErrorName, "s", m.ErrorName}, {fieldDestination, "s", m.Destination}, {fieldSender, "s", m.Sender},
			{fieldSignature, "g", m.Signature},
		} {
			if f.text != "" {
				e.field(f.code, f.kind, f.text)
			}
		}
		if m.Reply != 0 {
			e.Align(8)
			e.buf = append(e.buf, fieldReplySerial)
			e.signature("u")
			e.u32(m.Reply)
		}
	})
	e.Align(8)
	return append(e.buf, m.Body...), e.err
}

func (e *Encoder) field(code byte, kind, text string) {
	e.Align(8)
	e.buf = append(e.buf, code)
	e.signature(kind)
	if kind == "g" {
		e.signature(text)
	} else {
		e.String(text)
	}
}

// headSize is the fixed part of a header, which tells how long the message is.
const headSize = 16

// messageSize tells how long the message is that begins with these 16 bytes.
func messageSize(head []byte) (int, error) {
	order := byteOrder(head[0])
	if order == nil {
		return 0, fmt.Errorf("%w: byte order %q", errMalformed, head[0])
	}
	body, fields := order.Uint32(head[4:]), order.Uint32(head[12:])
	if head[3] != 1 || body > maxMessage || fields > maxMessage {
		return 0, errMalformed
	}
	return headSize + (int(fields)+7)&^7 + int(body), nil
}

func byteOrder(b byte) binary.ByteOrder {
	switch b {
	case 'l':
		return binary.LittleEndian
	case 'B':
		return binary.BigEndian
	}
	return nil
}

// Parse takes a whole message apart.
func Parse(raw []byte) (*Message, error) {
	if len(raw) < headSize {
		return nil, errMalformed
	}
	size, err := messageSize(raw)
	if err != nil {
		return nil, err
	}
	if size != len(raw) {
		return nil, errMalformed
	}
	order := byteOrder(raw[0])
	m := &Message{
		Kind: raw[1], Serial: order.Uint32(raw[8:]), order: order,
		Body: raw[len(raw)-int(order.Uint32(raw[4:])):],
	}
	d := &Decoder{buf: raw[:headSize+int(order.Uint32(raw[12:]))], pos: headSize, order: order}
	for d.pos < len(d.buf) && d.err == nil {
		d.align(8)
		m.setField(d)
	}
	return m, d.err
}

// setField reads a field of the header. Ones that are not known are to be ignored (D-Bus
// specification, "Header Fields").
func (m *Message) setField(d *Decoder) {
	code := d.byte()
	sig := d.signature()
	value := d.complete(sig)
	if d.err != nil {
		return
	}
	if code == fieldReplySerial {
		n, ok := value.(uint32)
		if m.Reply = n; !ok {
			d.fail()
		}
		return
	}
	for _, f := range [...]struct {
		code byte
		kind string
		to   *string
	}{
		{fieldPath, "o", &m.Path}, {fieldInterface, "s", &m.Interface}, {fieldMember, "s", &m.Member},
		{fieldErrorName, "s", &m.ErrorName}, {fieldDestination, "s", &m.Destination}, {fieldSender, "s", &m.Sender},
		{fieldSignature, "g", &m.Signature},
	} {
		if f.code != code {
			continue
		}
		if f.kind != sig {
			d.fail()
			return
		}
		*f.to = value.(string)
	}
}

// Decoder reads the message's body.
func (m *Message) Decoder() *Decoder {
	order := m.order
	if order == nil {
		order = binary.LittleEndian
	}
	return &Decoder{buf: m.Body, order: order}
}

// Values reads the whole body.
func (m *Message) Values() ([]any, error) {
	d := m.Decoder()
	var out []any
	for sigs := m.Signature; sigs != "" && d.err == nil; {
		var one string
		if one, sigs = single(sigs); one == "" {
			return nil, errMalformed
		}
		out = append(out, d.value(one, 0))
	}
	if d.err == nil && d.pos != len(d.buf) {
		d.fail()
	}
	return out, d.err
}
