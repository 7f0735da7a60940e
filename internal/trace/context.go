package trace

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// variable is the variable of the environment that says which span of a caller's a command belongs
// to, in the form of W3C Trace Context's header traceparent.
const variable = "TRACEPARENT"

// place is one in a trace that spans several programs (W3C Trace Context, section 3.2).
type place struct {
	TraceID string // 32 hexadecimal digits
	SpanID  string // 16, of the span that others belong to
	Flags   string // 2; 01 is "sampled"
}

var errContext = errors.New("it is not of the form VERSION-TRACE-PARENT-FLAGS of W3C Trace Context")

// parseContext reads a traceparent. One of a later version may have more fields at its end.
func parseContext(text string) (place, error) {
	fields := strings.Split(text, "-")
	if len(fields) < 4 || fields[0] == "00" && len(fields) != 4 || fields[0] == "ff" {
		return place{}, errContext
	}
	for i, length := range [...]int{2, 32, 16, 2} {
		if len(fields[i]) != length || strings.Trim(fields[i], "0123456789abcdef") != "" {
			return place{}, errContext
		}
	}
	if strings.Trim(fields[1], "0") == "" || strings.Trim(fields[2], "0") == "" {
		return place{}, errContext
	}
	return place{fields[1], fields[2], fields[3]}, nil
}

// newContext begins a trace of our own.
func newContext() place {
	var b [16]byte
	if n, err := unix.Getrandom(b[:], unix.GRND_NONBLOCK); err != nil || n < len(b) {
		return place{TraceID: fmt.Sprintf("%016x%016x", randomID(), randomID()), Flags: "01"}
	}
	return place{TraceID: fmt.Sprintf("%x", b), Flags: "01"}
}

// contextOf is the caller's, or a new one if there is none. What is not one begins a new one as
// well, as the specification wants it; the error is for the log.
func contextOf(traceparent string) (place, error) {
	if traceparent == "" {
		return newContext(), nil
	}
	c, err := parseContext(traceparent)
	if err != nil {
		return newContext(), fmt.Errorf("%s %q begins a new trace: %w", variable, traceparent, err)
	}
	return c, nil
}

// String is the traceparent.
func (c place) String() string { return "00-" + c.TraceID + "-" + c.SpanID + "-" + c.Flags }

// child is the context for who belongs to a span.
func (c place) child(span uint64) place {
	c.SpanID = spanID(span)
	return c
}

// parent is the caller's span, 0 if there is none.
func (c place) parent() uint64 {
	id, _ := strconv.ParseUint(c.SpanID, 16, 64)
	return id
}

func spanID(id uint64) string {
	digits := strconv.FormatUint(id, 16)
	return strings.Repeat("0", 16-len(digits)) + digits
}

// Environ gives the environment of a program that is run for the span: env with a TRACEPARENT that
// makes the program's own spans belong to it. One that env had from our own environment is
// replaced; one that its author has put there stays.
func (s *Span) Environ(env []string) []string {
	if s == nil || s.r.context.TraceID == "" {
		return env
	}
	const name = variable + "="
	own := name + os.Getenv(variable)
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, name) && v != own }) {
		return env
	}
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool { return v == own })
	return append(env, name+s.r.context.child(s.event.ID).String())
}
