// Package idmap holds libcontainer/internal/idmap against moby/sys/user, which engines use for the
// same maps.
package idmap

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/user"

	"oci-run/libcontainer/internal/idmap"
	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// random gives extents that do not overlap, on neither side, in any order.
func random(r *rand.Rand) []idmap.Mapping {
	var maps []idmap.Mapping
	inside, outside := r.Uint32N(3), r.Uint32N(100000)
	for range 1 + r.IntN(8) {
		m := idmap.Mapping{ContainerID: inside, HostID: outside, Size: 1 + r.Uint32N(70000)}
		maps = append(maps, m)
		// Now and then the next one goes on where this one ends.
		inside, outside = inside+m.Size+r.Uint32N(3)/2*r.Uint32N(9), outside+m.Size+r.Uint32N(3)/2*r.Uint32N(9)
	}
	r.Shuffle(len(maps), func(i, j int) { maps[i], maps[j] = maps[j], maps[i] })
	return maps
}

// theirs reads a map file, as ours.
func theirs(t testing.TB, text string) ([]idmap.Mapping, user.IdentityMapping) {
	t.Helper()
	list, err := user.ParseIDMap(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var maps []idmap.Mapping
	for _, m := range list {
		maps = append(maps, idmap.Mapping{ContainerID: uint32(m.ID), HostID: uint32(m.ParentID), Size: uint32(m.Count)})
	}
	return maps, user.IdentityMapping{UIDMaps: list, GIDMaps: list}
}

// What ours writes, perhaps in fewer extents, theirs reads as the same map, id by id.
func TestMaps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		maps := random(r)
		text, err := idmap.Format(maps)
		if err != nil {
			t.Fatal(err)
		}
		read, both := theirs(t, string(text))
		if ours, err := idmap.Parse(string(text)); err != nil || !cmp.Equal(read, ours) {
			t.Fatalf("%q: %v: %s", text, err, cmp.Diff(read, ours))
		}
		for _, m := range maps {
			for _, offset := range []uint32{0, m.Size - 1, m.Size, r.Uint32N(m.Size), ^uint32(0)} {
				id := m.ContainerID + offset
				host, _, err := both.ToHost(int(id), int(id))
				if got, ok := idmap.HostID(maps, id); ok != (err == nil) || ok && int(got) != host {
					t.Fatalf("%v: HostID(%d): %d, %v; theirs: %d, %v", maps, id, got, ok, host, err)
				}
				id = m.HostID + offset
				inside, _, err := both.ToContainer(int(id), int(id))
				if got, ok := idmap.ContainerID(maps, id); ok != (err == nil) || ok && int(got) != inside {
					t.Fatalf("%v: ContainerID(%d): %d, %v; theirs: %d, %v", maps, id, got, ok, inside, err)
				}
			}
		}
	}
}

// FuzzParse: what ours takes for a map, theirs takes for the same.
func FuzzParse(f *testing.F) {
	f.Add("         0          0 4294967295\n")
	f.Add("0 100000 65536\n65536 1 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		ours, err := idmap.Parse(text)
		if err != nil || strings.TrimSpace(text) == "" {
			return
		}
		if read, _ := theirs(t, text); !cmp.Equal(read, ours) {
			t.Errorf("%q: %s", text, cmp.Diff(read, ours))
		}
	})
}
