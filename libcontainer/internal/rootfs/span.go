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
	names := optionNames(m)
	for i := range m.Params {
		names = append(names, m.Params[i].String())
	}
	return strings.Join(names, ",")
}
