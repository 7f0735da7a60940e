package specconv

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestDefaultLoads(t *testing.T) {
	rootless := Default()
	Rootless(rootless, 1000, 1001)
	for _, spec := range []*specs.Spec{Default(), rootless} {
		b, err := Load(bundle(t, spec))
		if err != nil || len(b.Warnings) > 0 {
			t.Errorf("Load: %v, %v", b, err)
		}
	}
}

func TestRootless(t *testing.T) {
	s := Default()
	Rootless(s, 1000, 1001)
	for _, ns := range s.Linux.Namespaces {
		if ns.Type == specs.NetworkNamespace {
			t.Error("there is a network namespace")
		}
	}
	if s.Linux.Resources != nil || s.Linux.UIDMappings[0].HostID != 1000 || s.Linux.GIDMappings[0].HostID != 1001 {
		t.Errorf("linux: %+v", s.Linux)
	}
	for _, m := range s.Mounts {
		if m.Type == "sysfs" || strings.Contains(strings.Join(m.Options, ","), "gid=") {
			t.Errorf("mount: %+v", m)
		}
	}
}
