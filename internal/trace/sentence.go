package trace

import (
	"strconv"
	"time"

	"oci-run/internal/log"
)

// wordBefore stands before a fact in a sentence. What has none stands in brackets at the end.
func wordBefore(key string) string {
	switch key {
	case "path", "source":
		return " "
	case "target":
		return " on "
	case "type":
		return " of type "
	case "flags", "value":
		return " with "
	case "pid":
		return " of process "
	}
	return ""
}

// sentence tells of a span: `run: mount "proc" on "/proc" of type "proc" took 41µs`.
func sentence(process string, e *Event) string {
	text, more := process+": "+e.Name, ""
	for _, a := range e.Attrs {
		value := strconv.FormatInt(a.Number, 10)
		if a.Text != "" {
			value = strconv.Quote(a.Text)
		}
		if word := wordBefore(a.Key); word != "" {
			text += word + value
		} else {
			more += ", " + a.Key + " " + value
		}
	}
	if more != "" {
		text += " (" + more[2:] + ")"
	}
	text += " took " + time.Duration(e.End-e.Begin).String()
	if e.Error != "" {
		text += " and ended with: " + e.Error
	}
	return text
}

// say tells the log of a span.
func say(process string, e *Event) { log.Debug(sentence(process, e)) }
