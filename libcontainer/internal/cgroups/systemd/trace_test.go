package systemd

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"oci-run/internal/trace"
)

// told is the spans that were kept since the last time, as text: what, which method or job, of
// which object.
func told(events []trace.Event) (list []string) {
	for i := range events {
		var text strings.Builder
		text.WriteString(events[i].Name)
		for _, a := range events[i].Attrs {
			text.WriteString(" " + a.Key + "=" + a.Text)
		}
		list = append(list, text.String())
	}
	return list
}

// What is asked of systemd is in the timeline, with the waits for its jobs, each from its beginning
// to its end.
func TestSpans(t *testing.T) {
	defer trace.Join("", trace.Remote{})
	both(t, func(t *testing.T, m *manager) {
		trace.Join("test", trace.Remote{On: true})
		begin := trace.Now()
		c := m.dial()
		id, err := c.StartUnit("a.scope", 7, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.StopUnit("a.scope", id); err != nil {
			t.Fatal(err)
		}
		events, end := trace.Take(""), trace.Now()
		got := told(events)
		want := []string{
			"connect to systemd",
			"call systemd method=StartTransientUnit object=/org/freedesktop/systemd1", "wait for systemd job=/org/freedesktop/systemd1/job/1",
			"call systemd method=StopUnit object=/org/freedesktop/systemd1", "wait for systemd job=/org/freedesktop/systemd1/job/2",
			"call systemd method=ResetFailedUnit object=/org/freedesktop/systemd1",
		}
		got = slices.DeleteFunc(got, func(text string) bool {
			return strings.HasSuffix(text, "/DBus") || strings.Contains(text, "method=Get") || strings.Contains(text, "method=Subscribe")
		})
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if e := events[len(events)-1]; !strings.Contains(e.Error, "a.scope is not loaded") { // it has gone with its last process
			t.Errorf("%+v", e)
		}
		last := begin
		for _, e := range events {
			if e.Begin < begin || e.End < e.Begin || e.End > end || e.End < last {
				t.Errorf("%+v: not after %d and before %d", e, last, end)
			}
			last = e.End
		}
	})
}

// A systemd that hangs shows in the span of the call that it does not answer.
func TestSpanOfSilence(t *testing.T) {
	const shortly = 500 * time.Millisecond
	defer trace.Join("", trace.Remote{})
	both(t, func(t *testing.T, m *manager) {
		m.before = func(member string, _ int) string {
			if member == "StartTransientUnit" {
				return silence
			}
			return ""
		}
		m.once.Do(m.open)
		c, err := Dial(!m.bus, shortly)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		trace.Join("test", trace.Remote{On: true})
		if _, err := c.StartUnit("a.scope", 7, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		events := trace.Take("")
		at := slices.IndexFunc(events, func(e trace.Event) bool { return strings.Contains(told([]trace.Event{e})[0], "StartTransientUnit") })
		if at < 0 || events[at].Error == "" || events[at].End-events[at].Begin < shortly.Nanoseconds()/2 {
			t.Errorf("%d of %q: %+v", at, told(events), events)
		}
	})
}
