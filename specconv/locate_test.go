package specconv

import (
	"errors"
	"fmt"
	"testing"
)

func TestLocate(t *testing.T) {
	raw := []byte(`{
  "process": {
    "args": ["sh",  "-c"],
    "ARGS": ["x"],
    "env": ["A=1"],
    "a/b~c": {"d\/e": 1, "f\"g": 2}
  },
  "process1": [],
  "process2": [[1, 2], {"x": "}]{["}, 3]
}`)
	for _, c := range []struct{ pointer, want string }{
		{"", "1:1"},
		{"/process", "2:14"},
		{"/process/args", "3:13"},
		{"/process/args/1", "3:21"},
		{"/process/args/2", "3:13"}, // not there: where it would be
		{"/process/env/0", "5:13"},
		{"/process/ENV/0", "2:14"}, // names are exact
		{"/process/user/uid", "2:14"},
		{"/process/a~1b~0c/d~1e", "6:23"},
		{"/process/a~1b~0c/f\"g", "6:34"},
		{"/process2/0/1", "9:20"},
		{"/process2/2", "9:39"},
		{"/nothing/at/all", "1:1"},
	} {
		err := fmt.Errorf("container: %w", Fieldf(c.pointer, "bad"))
		want := "config.json:" + c.want + ": " + err.Error()
		if got := locateIn(configName, raw, err).Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestLocateLeavesOthers(t *testing.T) {
	plain := errors.New("plain")
	if locateIn(configName, nil, plain) != plain || locateIn(configName, nil, nil) != nil { //nolint:errorlint // the very same
		t.Error("an error without a field was changed")
	}
	once := locateIn(configName, []byte("{}"), Fieldf("/a", "bad"))
	if locateIn(configName, []byte("{}"), once) != once { //nolint:errorlint // the very same
		t.Error("the place was put twice")
	}
}

func TestField(t *testing.T) {
	if Field("/a", nil) != nil {
		t.Error("Field made an error of nil")
	}
	inner := Fieldf("/a/b", "bad")
	if Field("/a", inner) != inner { //nolint:errorlint // the very same
		t.Error("Field hid a more precise field")
	}
	if got := Pointer("a/b", 3, "~"); got != "/a~1b/3/~0" {
		t.Errorf("Pointer: %s", got)
	}
}

func FuzzLocate(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"\""}]}`), "/a/0/b", 9)
	f.Add([]byte(`{"a"`), "/a", 4)
	f.Add([]byte(`[[[[`), "/0/0/0", 4)
	f.Fuzz(func(t *testing.T, raw []byte, pointer string, offset int) {
		if offset < 0 || offset > len(raw) {
			offset = len(raw)
		}
		pointerTo(raw, offset)
		if pointer == "" || pointer[0] != '/' {
			pointer = "/" + pointer
		}
		if at := offsetOf(raw, pointer); at < 0 || at > len(raw) {
			t.Fatalf("offset %d is outside of %d bytes", at, len(raw))
		}
	})
}
