package logfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"oci-run/internal/log"
)

// What containerd's shim decodes: one object a line with level, msg and time.
func TestLogJSON(t *testing.T) {
	var out bytes.Buffer
	l := &Log{out: &out, json: true}
	l.Log(log.LevelWarn, "careful: this")
	l.Fatal(errors.New("exec: \"x\": not <found>\n"), Details{})
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	for i, want := range []struct{ level, msg string }{{"warning", "careful: this"}, {"error", "exec: \"x\": not <found>\n"}} {
		var got struct{ Level, Msg, Time string }
		if err := json.Unmarshal(lines[i], &got); err != nil {
			t.Fatal(err)
		}
		if got.Level != want.level || got.Msg != want.msg {
			t.Errorf("line %d: %+v", i, got)
		}
		if _, err := time.Parse(time.RFC3339, got.Time); err != nil {
			t.Error(err)
		}
	}
}

func TestLogText(t *testing.T) {
	l := &Log{}
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	e := newEntry(log.LevelError, `open "/x": no such file`, at)
	got := string(l.format(&e))
	want := `time="2026-01-02T15:04:05Z" level=error msg="open \"/x\": no such file"` + "\n"
	if got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

// What a terminal gets is the text, without quotes of quotes.
func TestLogForPeople(t *testing.T) {
	l := &Log{to: person}
	for level, want := range map[log.Level]string{
		log.LevelError: `oci-run: open "/x": no such file` + "\n",
		log.LevelWarn:  `oci-run: warning: open "/x": no such file` + "\n",
	} {
		e := newEntry(level, `open "/x": no such file`, time.Now())
		if got := string(l.format(&e)); got != want {
			t.Errorf("got %s want %s", got, want)
		}
	}
}

// Podman reads a JSON log as one object: a warning must not stand before the error, and is kept in
// its object.
func TestWarningsGoWithTheError(t *testing.T) {
	for _, failed := range []bool{true, false} {
		var out bytes.Buffer
		l := &Log{out: &out, own: true, json: true}
		l.Log(log.LevelWarn, "careful")
		if failed {
			l.Fatal(errors.New("broken"), Details{ID: "x", Pointer: "/root"})
		} else {
			l.Flush()
		}
		var got struct {
			Msg, ID, Pointer string
			Warnings         []string
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		if want := map[bool]string{true: "broken", false: "careful"}[failed]; got.Msg != want {
			t.Errorf("failed %v: got %q", failed, got.Msg)
		}
		if failed && (got.ID != "x" || got.Pointer != "/root" || !slices.Equal(got.Warnings, []string{"careful"})) {
			t.Errorf("the error's object: %+v", got)
		}
	}
}
