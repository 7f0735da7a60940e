package rootfs

import (
	"strings"

	"oci-run/internal/trace"
)

// beginSpan begins the span of a mount, which says what is mounted where and with which flags.
func (m *Mount) beginSpan() *trace.Span {
	name := "mount"
	switch {
	case m.Remount:
		name = "remount"
	case m.Kind == Bind:
		name = "bind"
	}
	span := trace.Begin(name)
	if span == nil {
		return nil
	}
	span.Set("source", m.name())
	span.Set("target", m.Destination)
	span.Set("type", m.Type)
	span.Set("flags", m.flags())
	return span
}

// flags are the options of a mount, as a configuration has them.
func (m *Mount) flags() string {
	var names []string
	for i := range options {
		o := &options[i]
		set := o.flag != 0 && !o.clear && (o.kind == attribute && m.Attr.Set&o.flag != 0 ||
			o.kind == recursive && m.Rec.Set&o.flag != 0 || o.kind == superblock && m.Super.Set&o.flag != 0)
		if set {
			names = append(names, o.name)
		}
	}
	for i := range m.Params {
		names = append(names, m.Params[i].String())
	}
	return strings.Join(names, ",")
}
