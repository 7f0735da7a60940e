package cgroups

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/specconv"
)

func parseResources(t *testing.T, text string) *specs.LinuxResources {
	t.Helper()
	var r specs.LinuxResources
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		resources string
		mode      Mode
		pointer   string // "": accepted
	}{
		{`{}`, V2, ""},
		{`{"memory":{"limit":0,"swap":0,"reservation":0,"disableOOMKiller":false},"cpu":{"shares":0,"quota":0}}`, V2, ""},
		{`{"memory":{"limit":-1,"swap":-1}}`, V1, ""},
		{`{"memory":{"limit":-2}}`, V1, "/memory/limit"},
		{`{"memory":{"limit":2000,"swap":1000}}`, V1, "/memory/swap"},
		{`{"memory":{"swap":1000}}`, V1, ""},
		{`{"memory":{"swappiness":101}}`, V1, "/memory/swappiness"},
		{`{"memory":{"swappiness":50}}`, V2, "/memory/swappiness"},
		{`{"memory":{"swappiness":18446744073709551615}}`, V2, ""},
		{`{"memory":{"disableOOMKiller":true}}`, V2, "/memory/disableOOMKiller"},
		{`{"memory":{"useHierarchy":true}}`, V1, ""},
		{`{"memory":{"useHierarchy":false}}`, V1, "/memory/useHierarchy"},
		{`{"cpu":{"quota":-5}}`, V1, ""},
		{`{"cpu":{"quota":-9223372036854775808}}`, V2, ""},
		{`{"cpu":{"idle":2}}`, V1, "/cpu/idle"},
		{`{"cpu":{"cpus":"0-3,7","mems":"0"}}`, V1, ""},
		{`{"cpu":{"cpus":"0;1"}}`, V1, "/cpu/cpus"},
		{`{"cpu":{"cpus":"all","mems":"0-N:1/2"}}`, V1, ""},
		{`{"cpu":{"cpus":"allN"}}`, V2, "/cpu/cpus"},
		{`{"cpu":{"cpus":"1-0"}}`, V2, "/cpu/cpus"},
		{`{"cpu":{"mems":"0-3:2"}}`, V1, "/cpu/mems"},
		{`{"cpu":{"realtimeRuntime":950}}`, V2, "/cpu/realtimeRuntime"},
		{`{"pids":{"limit":0}}`, V2, ""},
		{`{"blockIO":{"weight":9}}`, V2, "/blockIO/weight"},
		{`{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":1001}]}}`, V1, "/blockIO/weightDevice/0/weight"},
		{`{"blockIO":{"weightDevice":[{"major":8,"minor":0}]}}`, V1, "/blockIO/weightDevice/0"},
		{`{"rdma":{"mlx5_0":{}}}`, V2, "/rdma/mlx5_0"},
		{`{"blockIO":{"leafWeight":10}}`, V2, "/blockIO/leafWeight"},
		{`{"hugepageLimits":[{"pageSize":"2MB","limit":0},{"pageSize":"../2MB","limit":0}]}`, V1, "/hugepageLimits/1/pageSize"},
		{`{"network":{"classID":1}}`, V2, "/network/classID"},
		{`{"network":{"priorities":[{"name":"eth0 1\nlo","priority":1}]}}`, V1, "/network/priorities/0/name"},
		{`{"rdma":{"mlx5_0/..":{"hcaHandles":1}}}`, V2, "/rdma/mlx5_0~1.."},
		{`{"unified":{"memory.high":"1"}}`, V2, ""},
		{`{"unified":{"memory.high":"1"}}`, Hybrid, "/unified"},
		{`{"unified":{"../memory.high":"1"}}`, V2, "/unified/..~1memory.high"},
		{`{"unified":{"nodot":"1"}}`, V2, "/unified/nodot"},
		{`{"unified":{"a..b":"1"}}`, V2, "/unified/a..b"},
	} {
		err := checkResources(parseResources(t, c.resources), c.mode)
		var fe *specconv.FieldError
		switch {
		case c.pointer == "" && err != nil:
			t.Errorf("%s on %s: %v", c.resources, c.mode, err)
		case c.pointer != "" && !errors.As(err, &fe):
			t.Errorf("%s on %s: error %v names no field", c.resources, c.mode, err)
		case c.pointer != "" && fe.Pointer != "/linux/resources"+c.pointer:
			t.Errorf("%s on %s: error for %s, want %s", c.resources, c.mode, fe.Pointer, c.pointer)
		}
	}
	swap := parseResources(t, `{"memory":{"swap":1000}}`)
	if checkSwap(swap, V2) == nil || checkSwap(swap, V1) != nil {
		t.Error("swap without a limit of memory")
	}
	if err := checkResources(parseResources(t, `{"unified":{"a.b":""}}`), V1); !strings.Contains(err.Error(), "invalid configuration") {
		t.Errorf("unified on v1: %v", err)
	}
}

func TestPlan(t *testing.T) {
	r := parseResources(t, `{
		"memory": {"limit": 100, "swap": 200, "reservation": 50, "swappiness": 10, "disableOOMKiller": true},
		"cpu": {"shares": 1024, "quota": 2, "period": 6, "burst": 7, "idle": 1, "cpus": "0", "mems": "0"},
		"pids": {"limit": 3},
		"blockIO": {"weight": 100, "throttleReadBpsDevice": [{"major": 8, "minor": 1, "rate": 9}]},
		"hugepageLimits": [{"pageSize": "2MB", "limit": 4}],
		"rdma": {"m": {"hcaHandles": 2}},
		"unified": {"pids.max": "5", "io.weight": "6", "memory.high": "7", "cgroup.max.depth": "8"}
	}`)
	p, err := newPlan(&specs.Spec{Linux: &specs.Linux{Resources: r}})
	if err != nil {
		t.Fatal(err)
	}
	want := &plan{
		cpus: "0", mems: "0", sharedPID: true,
		early: newLimits(&specs.LinuxResources{
			BlockIO: &specs.LinuxBlockIO{
				Weight: new(uint16(100)), ThrottleReadBpsDevice: r.BlockIO.ThrottleReadBpsDevice,
			},
			HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4}},
			Rdma:           map[string]specs.LinuxRdma{"m": {HcaHandles: new(uint32(2))}},
			Unified:        map[string]string{"io.weight": "6", "cgroup.max.depth": "8"},
		}),
		late: newLimits(&specs.LinuxResources{
			Memory: r.Memory, Pids: r.Pids,
			CPU: &specs.LinuxCPU{
				Shares: new(uint64(1024)), Quota: new(int64(2)), Period: new(uint64(6)), Burst: new(uint64(7)), Idle: new(int64(1)),
			},
			Unified: map[string]string{"memory.high": "7", "pids.max": "5"},
		}),
	}
	if d := cmp.Diff(want, p, cmp.AllowUnexported(plan{}, limits{}, setting{}, specs.LinuxThrottleDevice{}), cmp.FilterPath(func(p cmp.Path) bool {
		return p.String() == "devices"
	}, cmp.Ignore())); d != "" {
		t.Error(d)
	}
	if !p.limits() || !p.needsDomain() {
		t.Error("limits or needsDomain is false")
	}
	if p, _ := newPlan(&specs.Spec{}); p.limits() || p.needsDomain() {
		t.Error("a spec without resources has limits")
	}
}

func TestOwnerOf(t *testing.T) {
	spec := func(options ...string) *specs.Spec {
		return &specs.Spec{
			Process: &specs.Process{User: specs.User{UID: 5}},
			Mounts:  []specs.Mount{{Type: "cgroup", Destination: "/sys/fs/cgroup/", Options: options}},
			Linux: &specs.Linux{
				Namespaces:  []specs.LinuxNamespace{{Type: specs.CgroupNamespace}},
				UIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 2000, Size: 9}},
			},
		}
	}
	other := spec()
	other.Linux.Namespaces = nil
	for name, c := range map[string]struct {
		spec *specs.Spec
		mode Mode
		want int
	}{
		"writable":     {spec(), V2, 2004},
		"last counts":  {spec("ro", "nosuid", "rw"), V2, 2004},
		"read-only":    {spec("ro"), V2, -1},
		"v1":           {spec(), Hybrid, -1},
		"no namespace": {other, V2, -1},
	} {
		if got := ownerOf(c.spec, c.mode); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
