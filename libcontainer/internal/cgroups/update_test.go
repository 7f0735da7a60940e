package cgroups

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// values reads files of the container's v1 cgroups, named controller/file.
func values(t *testing.T, m *Manager, names ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, n := range names {
		controller, _, _ := strings.Cut(n, ".")
		if strings.HasPrefix(n, "devices") {
			controller = "devices"
		}
		text, err := readFile(m.Path(controller) + "/" + n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = text
	}
	return out
}

func TestSet(t *testing.T) {
	if CurrentMode() == V2 {
		t.Skip("this test knows v1 files")
	}
	made := newCreation(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(int64(32 << 20)), Reservation: new(int64(16 << 20))},
		CPU:    &specs.LinuxCPU{Shares: new(uint64(100)), Quota: new(int64(500000)), Period: new(uint64(1000000))},
		Pids:   &specs.LinuxPids{Limit: new(int64(20))},
	})
	pid, _ := sleeper(t)
	for _, err := range []error{made.Create(), made.Configure(), made.Join(pid), made.Limit()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m, err := Open(made.Record())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.swappiness",
		"cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "pids.max", "cpuset.cpus", "devices.list"}
	before := values(t, m, names...)
	// The kernel refuses a quota of less than 1 ms: after memory, but before pids.
	bad := parseResources(t, `{"memory":{"limit":67108864,"swap":134217728,"reservation":1000000,"swappiness":7},
		"cpu":{"shares":200,"quota":5,"cpus":"0"},"pids":{"limit":9},
		"devices":[{"allow":true,"type":"c","major":10,"minor":229,"access":"rwm"}]}`)
	var fe *fileError
	if err := m.Set(bad); !errors.As(err, &fe) || fe.Value != "5" || !strings.HasSuffix(fe.Path, "cpu.cfs_quota_us") || !errors.Is(err, unix.EINVAL) {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff(before, values(t, m, names...)); d != "" {
		t.Errorf("a change that failed left: %s", d)
	}
	good := parseResources(t, `{"memory":{"limit":67108864,"swap":134217728,"swappiness":7},
		"cpu":{"quota":50000,"cpus":"0"},"pids":{"limit":0},
		"devices":[{"allow":true,"type":"c","major":10,"minor":229,"access":"rwm"}]}`)
	if err := m.Set(good); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	maps.Copy(want, before)
	want["memory.limit_in_bytes"], want["memory.memsw.limit_in_bytes"], want["memory.swappiness"] = "67108864", "134217728", "7"
	want["cpu.cfs_quota_us"], want["cpuset.cpus"], want["pids.max"] = "50000", "0", "1"
	want["devices.list"] += "\nc 10:229 rwm"
	got := values(t, m, names...)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, change := range []string{`{"cpu":{"idle":1}}`, `{"cpu":{"shares":100}}`} { // shares end being idle
		if err := m.Set(parseResources(t, change)); err != nil {
			t.Errorf("%s: %v", change, err)
		}
	}
	if err := m.Set(parseResources(t, `{"memory":{"limit":0},"cpu":{"shares":0}}`)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, values(t, m, names...)); d != "" {
		t.Errorf("zeros changed %s", d)
	}
}

func TestWriteLines(t *testing.T) {
	for _, c := range []struct {
		setting
		keys []string
	}{
		{setting{"memory.high", "1"}, nil},
		{setting{"io.max", "8:0 rbps=1\n8:16 wbps=max\n"}, []string{"8:0", "8:16"}},
		{setting{"io.weight", "200\n8:0 300"}, []string{"default", "8:0"}},
		{setting{"rdma.max", "mlx5_1 hca_handle=3"}, []string{"mlx5_1"}},
	} {
		w := write{e: &unifiedEntry, file: c.file, value: c.value}
		keys, reset := w.lines()
		if d := cmp.Diff(c.keys, keys); d != "" || (reset == "") != (c.keys == nil) {
			t.Errorf("%v: %s, reset %q", c.setting, d, reset)
		}
	}
}
