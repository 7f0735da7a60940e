package trace

import (
	"slices"
	"strings"
	"testing"
)

func TestTraceparent(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for text, ok := range map[string]bool{
		"00-" + trace + "-" + span + "-01":                    true,
		"00-" + trace + "-" + span + "-00":                    true,
		"cc-" + trace + "-" + span + "-01-what-comes-later":   true,
		"00-" + trace + "-" + span + "-01-more":               false,
		"ff-" + trace + "-" + span + "-01":                    false,
		"00-" + trace + "-" + span:                            false,
		"00-" + trace + "-" + span + "-1":                     false,
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":   false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  false,
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": false,
		"00-" + trace + "-" + span + "-0g":                    false,
		"":                                                    false,
		"---":                                                 false,
	} {
		c, err := parseContext(text)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if ok && (c.TraceID != trace || c.SpanID != span || c.parent() != 0x00f067aa0ba902b7) {
			t.Errorf("%q: %+v", text, c)
		}
	}
}

// What is not a traceparent begins a new trace (Trace Context, section 4.3).
func TestOddTraceparent(t *testing.T) {
	for text, odd := range map[string]bool{"": false, "x": true, "00-0-0-0": true} {
		c, err := contextOf(text)
		if (err != nil) != odd {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := parseContext(c.child(1).String()); err != nil || c.parent() != 0 {
			t.Errorf("%q gives %q: %v", text, c.child(1), err)
		}
	}
}

func TestEnviron(t *testing.T) {
	const ours = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	t.Setenv(variable, ours)
	var off *Span
	if got := off.Environ([]string{"A=1"}); !slices.Equal(got, []string{"A=1"}) {
		t.Errorf("without a trace: %q", got)
	}
	r := keep(t, "")
	r.context, _ = contextOf(ours)
	r.next = 0x10
	span := Begin("hook")
	defer span.End(nil)
	const hooks = variable + "=00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000011-01"
	inherited := []string{"A=1", variable + "=" + ours, "B=2"}
	for _, c := range []struct{ env, want []string }{
		{nil, []string{hooks}},
		{[]string{"A=1"}, []string{"A=1", hooks}},
		{inherited, []string{"A=1", "B=2", hooks}},
		{[]string{variable + "=its own"}, []string{variable + "=its own"}},
	} {
		if got := span.Environ(c.env); !slices.Equal(got, c.want) {
			t.Errorf("%q gives %q, want %q", c.env, got, c.want)
		}
	}
	if inherited[1] != variable+"="+ours {
		t.Error("the caller's list was changed")
	}
	r.context = place{} // only the log is told
	if got := span.Environ(nil); got != nil {
		t.Errorf("without a file: %q", got)
	}
}

// FuzzParseContext: a place that is read begins the text that it was read from, written again.
func FuzzParseContext(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later")
	f.Add("00-00000000000000000000000000000000-00f067aa0ba902b7-01")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseContext(text)
		if err != nil {
			return
		}
		written := text[:2] + "-" + got.TraceID + "-" + got.SpanID + "-" + got.Flags
		if !strings.HasPrefix(text, written) || len(written) != 55 {
			t.Errorf("%q is %+v", text, got)
		}
	})
}
