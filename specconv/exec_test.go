package specconv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// What an exec gets of a config is what Parse makes of it.
func TestParseForExec(t *testing.T) {
	files, err := filepath.Glob("../tests/schema/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		full, err := Parse(raw)
		if err != nil || full.Linux == nil {
			continue
		}
		want := &specs.Spec{Process: full.Process, Annotations: full.Annotations, Linux: &specs.Linux{
			Namespaces: full.Linux.Namespaces, Personality: full.Linux.Personality,
			MemoryPolicy: full.Linux.MemoryPolicy, IntelRdt: full.Linux.IntelRdt, MountLabel: full.Linux.MountLabel, Resources: &specs.LinuxResources{},
		}}
		if full.Linux.Resources != nil {
			want.Linux.Resources.CPU = full.Linux.Resources.CPU
		}
		got, profile, err := ParseForExec(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if (len(profile) > 0) != (full.Linux.Seccomp != nil) {
			t.Errorf("%s: profile %.20s", name, profile)
		}
		if len(profile) > 0 {
			var seccomp *specs.LinuxSeccomp
			if _, err := Decode(profile, &seccomp); err != nil || !cmp.Equal(seccomp, full.Linux.Seccomp) {
				t.Errorf("%s: profile %v: %s", name, err, cmp.Diff(full.Linux.Seccomp, seccomp))
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
