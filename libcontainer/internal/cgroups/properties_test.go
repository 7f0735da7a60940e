package cgroups

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups/systemd"
)

// What systemd can't say as it stands gets into the files as systemd says it, or a daemon-reload
// would change it.
func TestPropertiesChangeLimits(t *testing.T) {
	m := managerOf(Record{Mode: V2})
	for _, c := range []struct {
		value, file string
		want        []systemd.Property
	}{
		{"33333 100000", "34000 100000", []systemd.Property{{Name: "CPUQuotaPeriodUSec", Value: uint64(100000)}, {Name: "CPUQuotaPerSecUSec", Value: uint64(340000)}}},
		{"20000 50000", "20000 50000", []systemd.Property{{Name: "CPUQuotaPeriodUSec", Value: uint64(50000)}, {Name: "CPUQuotaPerSecUSec", Value: uint64(400000)}}},
		{"max 50000", "max 50000", []systemd.Property{{Name: "CPUQuotaPeriodUSec", Value: uint64(50000)}, {Name: "CPUQuotaPerSecUSec", Value: uint64(math.MaxUint64)}}},
	} {
		l := newLimits(&specs.LinuxResources{Unified: map[string]string{"cpu.max": c.value}})
		got, err := m.properties(l)
		if d := cmp.Diff(c.want, got); d != "" || err != nil || l.unified[0].value != c.file {
			t.Errorf("%q: %q, %v, %s", c.value, l.unified[0].value, err, d)
		}
	}
	for _, bad := range []string{"", "1 2 3", "1 x"} {
		if got, err := m.properties(newLimits(&specs.LinuxResources{Unified: map[string]string{"cpu.max": bad}})); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	l := newLimits(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: new(int64(0))}, Unified: map[string]string{"pids.max": "0"}})
	got, err := m.properties(l)
	one := systemd.Property{Name: "TasksMax", Value: uint64(1)}
	if d := cmp.Diff([]systemd.Property{one, one}, got); d != "" || err != nil || *l.Pids.Limit != 1 || l.unified[0].value != "1" {
		t.Errorf("%d, %q, %v, %s", *l.Pids.Limit, l.unified[0].value, err, d)
	}
}
