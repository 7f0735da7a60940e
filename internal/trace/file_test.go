package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sys/unix"
)

// follows checks a document against a schema of testdata.
func follows(t *testing.T, schema string, document []byte) {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(filepath.Join("testdata", schema))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	if err := compiled.Validate(parsed); err != nil {
		t.Errorf("%v in %s", err, document)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// command does what a command does, with facts that a JSON writer can stumble over.
func command(t *testing.T) {
	t.Helper()
	root := Root("run")
	mount := Begin("mount")
	mount.Set("target", "/a\"b\\c\n\x00\xffü")
	mount.SetNumber("index", 0)
	mount.End(errors.New("no\tsuch"))
	Record("helper", "list", 17, Now())
	if err := root.Finish(nil); err != nil {
		t.Fatal(err)
	}
}

func TestChromeFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.json")
	keep(t, path)
	command(t)
	follows(t, "chrome.schema.json", read(t, path))
	command(t) // a second one finds the array closed
	text := read(t, path)
	follows(t, "chrome.schema.json", text)
	var events []struct {
		Name, Ph string
		Ts, Dur  float64
		Args     map[string]any
	}
	if err := json.Unmarshal(text, &events); err != nil {
		t.Fatal(err)
	}
	if len(events) != 2*(2+3+1+2) { // names of two processes, three spans; once more the name, how long that took to write, the command
		t.Errorf("%d events: %s", len(events), text)
	}
	for _, e := range events {
		if e.Name == "mount" && (e.Args["container"] != "c1" || e.Args["target"] != "/a\"b\\c\n\x00\ufffdü" || e.Args["error"] != "no\tsuch") {
			t.Errorf("%+v", e)
		}
	}
	if _, err := os.Stat(path + ".new"); err == nil || text[0] != '[' {
		t.Error("the file was not appended to")
	}
}

func TestOTLPFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.otlp.json")
	r := keep(t, path)
	command(t)
	lines := bytes.Split(bytes.TrimSuffix(read(t, path), []byte("\n")), []byte("\n"))
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), bytes.Join(lines, []byte("\n")))
	}
	for i, line := range lines {
		follows(t, "otlp.schema.json", line)
		wanted := []string{r.context.TraceID, `{"key":"container.id","value":{"stringValue":"c1"}}`, `{"key":"service.version","value":{"stringValue":"1.2.3"}}`}
		if i == 0 {
			wanted = append(wanted, `{"key":"process.pid","value":{"intValue":"17"}}`, `"status":{"code":2,"message":"no\u0009such"}`)
		}
		for _, want := range wanted {
			if !bytes.Contains(line, []byte(want)) {
				t.Errorf("no %s in %s", want, line)
			}
		}
	}
}

func TestFormatByName(t *testing.T) {
	for name, want := range map[string]format{
		"t.json": chrome{}, "t": chrome{}, "otlp": chrome{}, "otlp.json": chrome{},
		"t.otlp": otlp{}, "t.otlp.json": otlp{}, "t.otlp.jsonl": otlp{}, ".otlp": otlp{},
	} {
		if got := formatOf(name); got != want {
			t.Errorf("%q: %T", name, got)
		}
	}
}

// Commands of an engine write to one file at the same time.
func TestConcurrentWriters(t *testing.T) {
	const writers, pieces = 8, 40
	for name, count := range map[string]func([]byte) int{
		"t.json": func(text []byte) int {
			var events []struct{ Ph string }
			if err := json.Unmarshal(text, &events); err != nil {
				t.Fatal(err)
			}
			return len(events)
		},
		"t.otlp": func(text []byte) int { return bytes.Count(text, []byte("\n")) },
	} {
		path := filepath.Join(t.TempDir(), name)
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				fd, err := openFile(path)
				if err != nil {
					t.Error(err)
					return
				}
				defer unix.Close(fd)
				f := &file{fd: fd, path: path, format: formatOf(path)}
				for i := range pieces {
					piece := fmt.Sprintf(`{"name":"%d.%d","more":%q}`, w, i, strings.Repeat("x", 3000))
					if err := f.write([]byte(piece), f.format.frame()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n := count(read(t, path)); n != writers*pieces {
			t.Errorf("%s has %d pieces of %d", name, n, writers*pieces)
		}
	}
}

// A command that was killed has left no end, which viewers don't miss.
func TestUnclosedArray(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.json")
	if err := os.WriteFile(path, []byte("[\n{\"name\":\"a\"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	keep(t, path)
	command(t)
	var events []map[string]any
	if err := json.Unmarshal(read(t, path), &events); err != nil || events[0]["name"] != "a" || len(events) < 5 {
		t.Errorf("%v: %s", err, read(t, path))
	}
}

func TestLockOfSomebodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.json")
	keep(t, path)
	other, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if err := unix.Flock(other, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	Begin("x").End(nil)
	err = Flush()
	if err == nil || !errors.Is(err, unix.EWOULDBLOCK) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo:                             `--trace: write a timeline to "` + fifo + `": it is not a regular file`,
		"/dev/null":                      `--trace: write a timeline to "/dev/null": it is not a regular file`,
		dir:                              `--trace: open ` + dir + `: is a directory`,
		filepath.Join(dir, "no", "such"): `--trace: open ` + filepath.Join(dir, "no", "such") + `: no such file or directory`,
	} {
		err := Open(Options{Path: path, Process: "run"})
		if err == nil || err.Error() != want || On() {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func FuzzString(f *testing.F) {
	f.Add("a\"b\\\n\x00\x7f\xff\u2028ü")
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		if err := json.Unmarshal(appendString(nil, text), &got); err != nil {
			t.Fatalf("%q gives %s: %v", text, appendString(nil, text), err)
		}
		var want strings.Builder
		for _, r := range text {
			want.WriteRune(r)
		}
		if got != want.String() {
			t.Errorf("%q came back as %q", text, got)
		}
	})
}

func TestMicroseconds(t *testing.T) {
	for ns, want := range map[int64]string{-1: "0.000", 0: "0.000", 7: "0.007", 1042: "1.042", 999999: "999.999", 12753344148128: "12753344148.128"} {
		if got := string(appendMicros(nil, ns)); got != want {
			t.Errorf("%d: %s, want %s", ns, got, want)
		}
	}
}
