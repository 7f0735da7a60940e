package wire

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

type sample struct {
	Flag   bool
	Small  int8
	Big    uint64
	Text   string
	Nil    []string
	Empty  []string
	Words  []string
	Bytes  []byte
	Map    map[string]string
	NilMap map[string]string
	Ptr    *uint32
	NilPtr *uint32
	Nested []struct{ A, B int64 }
}

func TestRoundTrip(t *testing.T) {
	n := uint32(7)
	want := sample{
		Flag: true, Small: -3, Big: 1 << 63, Text: "héllo\x00", Empty: []string{}, Words: []string{"a", ""},
		Bytes: []byte{0, 255}, Map: map[string]string{"k": "v", "": "x"}, Ptr: &n,
		Nested: []struct{ A, B int64 }{{1, -1}, {1 << 62, 0}},
	}
	var got sample
	if err := Unmarshal(Marshal(&want), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Strings are no allocations of their own.
func TestStringsAreOneCopy(t *testing.T) {
	want := sample{}
	for i := range 100 {
		want.Words = append(want.Words, fmt.Sprintf("%0*d", i, i))
	}
	data := Marshal(&want)
	var got sample
	allocated := testing.AllocsPerRun(20, func() {
		got = sample{}
		if err := Unmarshal(data, &got); err != nil {
			t.Error(err)
		}
	})
	if allocated > 5 {
		t.Errorf("%.0f allocations for 100 strings", allocated)
	}
	clear(data) // which the result has no part of
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Every spec type that a plan carries is plain data.
func TestSpecTypes(t *testing.T) {
	limit, yes := int64(-1), true
	want := specs.Spec{
		Version: "1.3.0",
		Process: &specs.Process{Args: []string{"sh"}, Env: []string{"A=b"}, Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 1, Soft: 1}}},
		Mounts:  []specs.Mount{{Destination: "/proc", Type: "proc"}},
		Linux:   &specs.Linux{Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, DisableOOMKiller: &yes}}},
	}
	var got specs.Spec
	if err := Unmarshal(Marshal(&want), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenMessages(t *testing.T) {
	full := Marshal(&sample{Text: "text", Words: []string{"a", "b"}, Map: map[string]string{"a": "b"}})
	for i := range full {
		var s sample
		if err := Unmarshal(full[:i], &s); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", i, len(full))
		}
	}
	var s sample
	if err := Unmarshal(append(full, 0), &s); err == nil {
		t.Error("a byte too many was accepted")
	}
}

// A value may follow another one.
func TestCut(t *testing.T) {
	both := Append(Marshal(&[]string{"a", "b"}), &sample{Text: "text"})
	var words []string
	rest, err := Cut(both, &words)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, words); diff != "" {
		t.Error(diff)
	}
	var s sample
	if err := Unmarshal(rest, &s); err != nil || s.Text != "text" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNotPlain(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a channel was accepted")
		}
	}()
	Marshal(&struct{ C chan int }{})
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(Marshal(&sample{Text: "text", Words: []string{"a"}, Map: map[string]string{"a": "b"}}))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var s sample
		_ = Unmarshal(data, &s)
	})
}

func BenchmarkUnmarshalSpec(b *testing.B) {
	spec := specs.Spec{Process: &specs.Process{Args: []string{"sh"}}, Linux: &specs.Linux{MaskedPaths: []string{"/proc/kcore"}}}
	data := Marshal(&spec)
	for b.Loop() {
		var s specs.Spec
		if err := Unmarshal(data, &s); err != nil {
			b.Fatal(err)
		}
	}
}
