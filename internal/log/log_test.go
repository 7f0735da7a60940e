package log

import (
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
)

// heard keeps what it gets from a level on.
type heard struct {
	from  Level
	texts []string
}

func (h *heard) Enabled(level Level) bool { return level >= h.from }

func (h *heard) Log(_ Level, text string) { h.texts = append(h.texts, text) }

func TestHandlerGetsWhatItWants(t *testing.T) {
	for from, want := range map[Level][]string{
		LevelDebug: {"progress", "odd", "init's"},
		LevelInfo:  {"odd", "init's"},
		LevelWarn:  {"odd"},
		LevelError: nil,
	} {
		h := &heard{from: from}
		before := SetHandler(h)
		Debug("progress")
		Warn("odd")
		Log(LevelInfo, "init's")
		if Enabled(LevelDebug) != (from == LevelDebug) {
			t.Errorf("from %d on: Enabled(LevelDebug) is %v", from, Enabled(LevelDebug))
		}
		if SetHandler(before) != h {
			t.Errorf("from %d on: SetHandler returns another handler than it replaces", from)
		}
		slices.Sort(want)
		slices.Sort(h.texts)
		if !slices.Equal(h.texts, want) {
			t.Errorf("from %d on: got %q, want %q", from, h.texts, want)
		}
	}
}

// A program that sets no handler is warned all the same.
func TestWithoutHandler(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	old := os.Stderr
	os.Stderr = w
	before := SetHandler(nil)
	Debug("progress")
	Warn("odd")
	Log(LevelError, "broken")
	SetHandler(before)
	os.Stderr = old
	w.Close()
	got, err := io.ReadAll(r)
	if want := "warning: odd\nerror: broken\n"; err != nil || string(got) != want {
		t.Errorf("standard error got %q (%v), want %q", got, err, want)
	}
}

func TestDiscard(t *testing.T) {
	before := SetHandler(Discard{})
	defer SetHandler(before)
	if Warn("odd"); Enabled(LevelError) {
		t.Error("a discarded error is wanted")
	}
}

func TestLevelsAreSlogs(t *testing.T) {
	for ours, theirs := range map[Level]slog.Level{
		LevelDebug: slog.LevelDebug, LevelInfo: slog.LevelInfo, LevelWarn: slog.LevelWarn, LevelError: slog.LevelError,
	} {
		if int(ours) != int(theirs) {
			t.Errorf("%s is %d here, %d in log/slog", strings.ToLower(theirs.String()), ours, theirs)
		}
	}
}
