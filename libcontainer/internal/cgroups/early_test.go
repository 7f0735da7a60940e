package cgroups

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestEarly: what init has room in is in force before it works.
func TestEarly(t *testing.T) {
	const roomy = `{"memory": {"limit": 67108864, "swap": 67108864, "reservation": 1, "swappiness": 1}, "pids": {"limit": 32},
		"cpu": {"quota": 50000}, "unified": {"memory.high": "32M", "cpu.max": "max", "pids.max": "max", "memory.low": "1"}}`
	for _, test := range []struct {
		resources string
		want      shortage
		late      int64
	}{
		{roomy, shortage{}, 0},
		{`{"memory": {"limit": -1}, "pids": {"limit": -1}, "cpu": {"quota": -1, "period": 1000}}`, shortage{}, 0},
		{`{"memory": {"limit": 33554431}}`, shortage{memory: true}, 33554431},
		{`{"memory": {"limit": 8388608}, "unified": {"memory.max": "4M"}}`, shortage{memory: true}, 4 << 20},
		{`{"memory": {"limit": 67108864}, "unified": {"memory.high": "1M"}}`, shortage{memory: true}, 67108864},
		{`{"unified": {"memory.max": " 31m\n"}}`, shortage{memory: true}, 31 << 20},
		{`{"unified": {"memory.max": "17E"}}`, shortage{}, 0},
		{`{"pids": {"limit": 31}}`, shortage{pids: true}, 0},
		{`{"pids": {"limit": 0}}`, shortage{pids: true}, 0},
		{`{"unified": {"pids.max": "3"}}`, shortage{pids: true}, 0},
		{`{"cpu": {"quota": 49999}}`, shortage{cpu: true}, 0},
		{`{"cpu": {"quota": 4999, "period": 10000}}`, shortage{cpu: true}, 0},
		{`{"unified": {"cpu.max": "4999 10000", "cpu.max.burst": "0"}}`, shortage{cpu: true}, 0},
		{`{"unified": {"cpu.max": "40000"}}`, shortage{cpu: true}, 0},
	} {
		r := parseResources(t, test.resources)
		if got := shortages(newLimits(r)); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.resources, got, test.want)
		}
		p, err := newPlan(&specs.Spec{Linux: &specs.Linux{Resources: r}})
		if err != nil {
			t.Fatal(err)
		}
		if test.want == (shortage{}) && !p.late.empty() {
			t.Errorf("%s: late is %+v", test.resources, p.late)
		}
		if got := (&Creation{maker: maker{Manager: managerOf(Record{}), plan: p}}).LateMemory(); got != test.late {
			t.Errorf("%s: late memory is %d, want %d", test.resources, got, test.late)
		}
	}
}
