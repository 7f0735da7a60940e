package idmap

import "testing"

func TestWithin(t *testing.T) {
	ranges := []Mapping{{HostID: 100, Size: 10}, {HostID: 200, Size: 50}, {HostID: 110, Size: 5}, {HostID: 4294967290, Size: 5}}
	for _, c := range []struct {
		first, size uint32
		want        bool
	}{
		{100, 10, true}, {100, 15, true}, {109, 2, true}, {100, 16, false}, {99, 2, false}, {90, 5, false},
		{200, 50, true}, {200, 51, false}, {4294967290, 5, true}, {4294967290, 6, false}, {0, 4294967295, false},
	} {
		if got := within(Mapping{HostID: c.first, Size: c.size}, ranges, func(m Mapping) uint32 { return m.HostID }); got != c.want {
			t.Errorf("%d ids from %d: %v", c.size, c.first, got)
		}
	}
}

func TestSpans(t *testing.T) {
	for want, ranges := range map[string][]Mapping{
		"none": nil, "100000-165535": {{HostID: 100000, Size: 65536}}, "1-1, 5-6": {{HostID: 1, Size: 1}, {HostID: 5, Size: 2}},
	} {
		if got := spans(ranges); got != want {
			t.Errorf("%v is %q, must be %q", ranges, got, want)
		}
	}
}
