package trace

import "strconv"

// otlp is what OpenTelemetry's collectors read from files: an ExportTraceServiceRequest in JSON
// (OTLP 1.x) on a line of its own for each command. Its times are since 1970, see clock.unixNano.
type otlp struct{}

func (otlp) frame() frame { return frame{end: "\n"} }

// Kinds and states of spans (opentelemetry/proto/trace/v1/trace.proto).
const (
	spanInternal = 1
	statusError  = 2
)

func (otlp) append(out []byte, r *recorder, events []Event) []byte {
	out = append(out, `{"resourceSpans":[{"resource":{"attributes":[`...)
	out = appendAttribute(out, Attr{Key: "service.name", Text: "oci-run"})
	out = appendAttribute(out, Attr{Key: "service.version", Text: r.file.version})
	if r.id != "" {
		out = appendAttribute(out, Attr{Key: "container.id", Text: r.id})
	}
	out = append(out, `]},"scopeSpans":[{"scope":{"name":"oci-run"},"spans":[`...)
	for i := range events {
		if i > 0 {
			out = append(out, ',')
		}
		out = r.appendOTLP(out, &events[i])
	}
	return append(out, `]}]}]}`...)
}

func (r *recorder) appendOTLP(out []byte, e *Event) []byte {
	out = append(out, '{')
	out = appendString(appendKey(out, "traceId"), r.context.TraceID)
	out = appendString(appendKey(out, "spanId"), spanID(e.ID))
	if e.Parent != 0 {
		out = appendString(appendKey(out, "parentSpanId"), spanID(e.Parent))
	}
	out = appendString(appendKey(out, "name"), e.Name)
	out = strconv.AppendInt(appendKey(out, "kind"), spanInternal, 10)
	out = appendQuoted(appendKey(out, "startTimeUnixNano"), r.clock.unixNano(e.Begin))
	out = appendQuoted(appendKey(out, "endTimeUnixNano"), r.clock.unixNano(e.End))
	out = append(appendKey(out, "attributes"), '[')
	out = appendAttribute(out, Attr{Key: "process.pid", Number: int64(e.PID)})
	if e.TID != e.PID {
		out = appendAttribute(out, Attr{Key: "thread.id", Number: int64(e.TID)})
	}
	for _, a := range e.Attrs {
		a.Key = "oci-run." + a.Key
		out = appendAttribute(out, a)
	}
	out = append(out, ']')
	if e.Error != "" {
		out = append(appendKey(out, "status"), '{')
		out = strconv.AppendInt(appendKey(out, "code"), statusError, 10)
		out = append(appendString(appendKey(out, "message"), e.Error), '}')
	}
	return append(out, '}')
}

// appendAttribute adds a KeyValue to a list. A 64-bit number is a string in protobuf's JSON.
func appendAttribute(out []byte, a Attr) []byte {
	if out[len(out)-1] != '[' {
		out = append(out, ',')
	}
	out = appendString(append(out, `{"key":`...), a.Key)
	if a.Text != "" {
		out = appendString(append(out, `,"value":{"stringValue":`...), a.Text)
	} else {
		out = appendQuoted(append(out, `,"value":{"intValue":`...), a.Number)
	}
	return append(out, '}', '}')
}

func appendQuoted(out []byte, n int64) []byte {
	out = strconv.AppendInt(append(out, '"'), n, 10)
	return append(out, '"')
}
