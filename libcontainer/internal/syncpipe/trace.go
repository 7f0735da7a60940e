package syncpipe

import (
	"fmt"

	"oci-run/internal/excerpt"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/syncpipe/wire"
)

// From says which process the other end is, by its name in a trace.
func (e *end) From(process string, pid int) {
	e.process, e.pid = process, pid
	trace.Meet(pid)
}

// longestFact bounds the texts of a span, so that each fits into a packet.
const longestFact = 1 << 10

// Trace tells the other end of spans, in as few packets as hold them.
func (e end) Trace(spans []trace.Event) {
	// One that is gone is noticed at the next message with an answer.
	var payload []byte
	for i := range spans {
		span := wire.Marshal(shortened(&spans[i]))
		if len(payload) > 0 && len(payload)+len(span) >= maxPacket {
			_ = e.send(traced, payload)
			payload = payload[:0]
		}
		payload = append(payload, span...)
	}
	if len(payload) > 0 {
		_ = e.send(traced, payload)
	}
}

// shortened is a span that fits into a packet.
func shortened(e *trace.Event) *trace.Event {
	const most = 8
	short := *e
	short.Error = excerpt.Of(e.Error, longestFact)
	short.Attrs = nil
	for _, a := range e.Attrs[:min(len(e.Attrs), most)] {
		a.Text = excerpt.Of(a.Text, longestFact)
		short.Attrs = append(short.Attrs, a)
	}
	return &short
}

// relay takes the spans of the other end.
func (e end) relay(payload []byte) error {
	var spans []trace.Event
	for len(payload) > 0 {
		var span trace.Event
		rest, err := wire.Cut(payload, &span)
		if err != nil {
			return fmt.Errorf("receive Trace: %w", err)
		}
		payload, spans = rest, append(spans, span)
	}
	trace.Relay(e.process, e.pid, spans)
	return nil
}

// askForSpans is what goes with Start: nothing, unless spans are wanted.
func askForSpans() []byte {
	remote := trace.ForChild()
	if !remote.On {
		return nil
	}
	return wire.Marshal(&remote)
}

// wantedSpans reads it. A start command of another version may ask in another form, and gets none.
func wantedSpans(payload []byte) (remote trace.Remote) {
	if len(payload) == 0 || wire.Unmarshal(payload, &remote) != nil {
		return trace.Remote{}
	}
	return remote
}
