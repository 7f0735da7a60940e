package syncpipe

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oci-run/libcontainer/internal/syncpipe/wire"
	"oci-run/tests/fdleak"
)

type samplePlan struct {
	Text  string
	Words []string
}

// named makes a file with its name as its content.
func named(t *testing.T, name string) File {
	t.Helper()
	f, err := memfd(name, []byte(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return File{name, f}
}

// pair gives both ends of a channel.
func pair(t *testing.T) (*Parent, *Init) {
	t.Helper()
	p, child, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); child.Close() })
	return p, &Init{end{f: child}}
}

func TestConfig(t *testing.T) {
	for _, length := range []int{0, 100, maxPacket - 50, maxPacket, 10 * maxPacket} {
		p, i := pair(t)
		want := samplePlan{strings.Repeat("x", length), []string{"a", ""}}
		if err := p.Config(&want, named(t, "start"), named(t, "console"), named(t, "mount 3")); err != nil {
			t.Fatal(err)
		}
		var got samplePlan
		files, err := i.Config(&got)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, name := range []string{"mount 3", "start", "console"} { // not in the order in which they were sent
			f, err := files.Take(name)
			if err != nil {
				t.Fatal(err)
			}
			if content, err := readAll(f); string(content) != name || err != nil {
				t.Errorf("%q is %q, %v", name, content, err)
			}
			f.Close()
		}
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestConfigWithoutFiles(t *testing.T) {
	p, i := pair(t)
	want := samplePlan{Text: "alone"}
	if err := p.Config(&want); err != nil {
		t.Fatal(err)
	}
	var got samplePlan
	files, err := i.Config(&got)
	if err != nil || got.Text != want.Text {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := files.Close(); err != nil {
		t.Error(err)
	}
}

// A file that is missing and one that nobody takes are errors with their names, and stay open
// nowhere.
func TestFilesByName(t *testing.T) {
	p, i := pair(t)
	if err := p.Config(&samplePlan{}, named(t, "start"), named(t, "console")); err != nil {
		t.Fatal(err)
	}
	fdleak.Check(t)
	files, err := i.Config(&samplePlan{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := files.Take("start")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, name := range []string{"start", "mount 1"} { // taken already, and never sent
		_, err := files.Take(name)
		if want := `receive Config: no fd named "` + name + `" came with the plan, only ["console"]`; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err, want := files.Close(), `receive Config: unexpected fds ["console"] came with the plan`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestWrongConfig(t *testing.T) {
	plan := wire.Marshal(&samplePlan{Text: "short"})
	names := func(list ...string) []byte { return wire.Marshal(&list) }
	for _, test := range []struct {
		name   string
		packet []byte
		fds    int
		want   string
	}{
		{"more fds than names", slices.Concat(names("start"), plan), 2, `2 fds came for the names ["start"]`},
		{"more names than fds", slices.Concat(names("start", "console"), plan), 1, `1 fds came for the names ["start" "console"]`},
		{"a name twice", slices.Concat(names("start", "start"), plan), 2, `two fds are named "start"`},
		{"no names", nil, 0, "message ends too early"},
		{"no plan", names("start"), 1, "message ends too early"},
		{"two plans", slices.Concat(names("plan"), plan), 1, "a plan came in the packet, and another one as a file"},
		{"an empty plan", names("plan"), 1, "message ends too early"},
		{"more than a plan", slices.Concat(names("start"), plan, []byte{0}), 1, "message has 1 bytes too many"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, i := pair(t)
			null, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { null.Close() })
			if err := p.send(config, test.packet, []*os.File{null, null}[:test.fds]...); err != nil {
				t.Fatal(err)
			}
			fdleak.Check(t)
			if _, err := i.Config(&samplePlan{}); err == nil || err.Error() != "receive Config: "+test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
