package idmap

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTranslate(t *testing.T) {
	maps := []Mapping{{ContainerID: 0, HostID: 100000, Size: 1000}, {ContainerID: 1000, HostID: 7, Size: 1}, {ContainerID: 4294967294, HostID: 9, Size: 1}}
	for _, test := range []struct {
		container, host uint32
	}{
		{0, 100000},
		{999, 100999},
		{1000, 7},
		{4294967294, 9},
	} {
		if got, ok := HostID(maps, test.container); !ok || got != test.host {
			t.Errorf("HostID(%d) = %d, %v", test.container, got, ok)
		}
		if got, ok := ContainerID(maps, test.host); !ok || got != test.container {
			t.Errorf("ContainerID(%d) = %d, %v", test.host, got, ok)
		}
	}
	for _, id := range []uint32{1001, 99999, 4294967295} {
		if got, ok := HostID(maps, id); ok {
			t.Errorf("HostID(%d) = %d", id, got)
		}
	}
	for _, id := range []uint32{0, 6, 101000} {
		if got, ok := ContainerID(maps, id); ok {
			t.Errorf("ContainerID(%d) = %d", id, got)
		}
	}
}

func TestCompact(t *testing.T) {
	in := []Mapping{
		{ContainerID: 3, HostID: 13, Size: 2},
		{ContainerID: 0, HostID: 10, Size: 3},
		{ContainerID: 6, HostID: 15, Size: 1}, // outside follows, inside does not
		{ContainerID: 7, HostID: 99, Size: 1}, // inside follows, outside does not
		{ContainerID: 8, HostID: 100, Size: 0},
	}
	want := []Mapping{{ContainerID: 0, HostID: 10, Size: 5}, {ContainerID: 6, HostID: 15, Size: 1}, {ContainerID: 7, HostID: 99, Size: 1}}
	if diff := cmp.Diff(want, compact(in)); diff != "" {
		t.Error(diff)
	}
	if !Equal(in, want) || Equal(in, want[:2]) {
		t.Error("Equal goes by the extents, not by the mapping")
	}
}

// scattered returns n mappings that do not join.
func scattered(n int, host uint32) (maps []Mapping) {
	for i := range uint32(n) {
		maps = append(maps, Mapping{ContainerID: 2 * i, HostID: host + 3*i, Size: 1})
	}
	return maps
}

func TestFormat(t *testing.T) {
	got, err := Format([]Mapping{{ContainerID: 1, HostID: 100001, Size: 4}, {ContainerID: 0, HostID: 100000, Size: 1}})
	if err != nil || string(got) != "0 100000 5\n" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Format(scattered(341, 0)); err == nil || !strings.Contains(err.Error(), "at most 340") {
		t.Errorf("341 extents: %v", err)
	}
	if _, err := Format(scattered(340, 4000000000)); err == nil || !strings.Contains(err.Error(), "at most 4095") {
		t.Errorf("a page of extents: %v", err)
	}
	var chain []Mapping
	for i := range uint32(5000) {
		chain = append(chain, Mapping{ContainerID: i, HostID: 100000 + i, Size: 1})
	}
	if got, err := Format(chain); err != nil || string(got) != "0 100000 5000\n" {
		t.Errorf("%.100q, %v", got, err)
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("         0     100000      65536\n     65536       1000          1\n")
	want := []Mapping{{ContainerID: 0, HostID: 100000, Size: 65536}, {ContainerID: 65536, HostID: 1000, Size: 1}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, text := range []string{"0 0", "0 0 0 0", "0 0 x", "-1 0 1", "4294967296 0 1", "\n"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v", text, got)
		}
	}
}

func TestNamespaces(t *testing.T) {
	made := 0
	n := NewNamespaces(func(uids, _ []Mapping) (*os.File, error) {
		if len(uids) == 0 {
			return nil, errors.New("no mappings")
		}
		made++
		return os.Open("/proc/self/ns/user")
	})
	defer n.Close()
	one, two := []Mapping{{HostID: 1, Size: 2}}, []Mapping{{HostID: 1, Size: 1}, {ContainerID: 1, HostID: 2, Size: 1}}
	a, err := n.Get(one, one)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := n.Get(two, one); a != b || err != nil {
		t.Errorf("equal mappings got another namespace, %v", err)
	}
	if c, err := n.Get(one, two[:1]); a == c || err != nil || made != 2 {
		t.Errorf("%d namespaces, %v", made, err)
	}
	if _, err := n.Get(nil, nil); err == nil {
		t.Error("an error of create got lost")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0 100000 65536\n")
	f.Add("  0 1 2\n3 4 5")
	f.Fuzz(func(t *testing.T, text string) {
		maps, err := Parse(text)
		if err != nil {
			return
		}
		out, err := Format(maps)
		if err != nil {
			return
		}
		again, err := Parse(string(out))
		if err != nil || !Equal(maps, again) {
			t.Errorf("%q became %q: %v", text, out, err)
		}
	})
}
