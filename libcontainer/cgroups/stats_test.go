package cgroups

import (
	"encoding/json"
	"testing"

	lib "github.com/opencontainers/cgroups"
)

// What the hosts of tests have no devices for.
func TestStatsOfRdmaAndMisc(t *testing.T) {
	s := lib.NewStats()
	s.RdmaStats.RdmaCurrent = []lib.RdmaEntry{{Device: "mlx5_1", HcaHandles: 3, HcaObjects: 10}}
	s.MiscStats = map[string]lib.MiscStats{"sev": {Usage: 4, Events: 1}}
	raw, err := json.Marshal(convertStats(s))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Rdma struct{ Current []map[string]any }
		Misc map[string]map[string]uint64
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rdma.Current) != 1 || got.Rdma.Current[0]["device"] != "mlx5_1" || got.Misc["sev"]["usage"] != 4 || got.Misc["sev"]["events"] != 1 {
		t.Errorf("%s", raw)
	}
}

func TestUnifiedFile(t *testing.T) {
	for _, c := range []struct {
		setting
		keys []string
	}{
		{setting{"memory.high", "1"}, nil},
		{setting{"io.max", "8:0 rbps=1\n8:16 wbps=max\n"}, []string{"8:0", "8:16"}},
		{setting{"io.weight", "200\n8:0 300"}, []string{"default", "8:0"}},
		{setting{"rdma.max", "mlx5_1 hca_handle=3"}, []string{"mlx5_1"}},
	} {
		f := unifiedFile(c.setting)
		if f.name != c.file || !f.written || len(f.keys) != len(c.keys) || (f.reset == "") != (c.keys == nil) {
			t.Errorf("%v: %+v", c.setting, f)
		}
		for i, key := range c.keys {
			if f.keys[i] != key {
				t.Errorf("%v: key %q, want %q", c.setting, f.keys[i], key)
			}
		}
	}
}
