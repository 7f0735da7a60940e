package rootfs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestLabelParams: quotes keep the commas of an SELinux label, and are not part of it.
func TestLabelParams(t *testing.T) {
	const label = "system_u:object_r:container_file_t:s0:c1,c2"
	for _, key := range labelParams {
		for _, test := range []struct{ options, want []string }{
			{[]string{key + `="` + label + `"`}, []string{key + "=" + label}},
			{[]string{`size=1k,` + key + `="` + label + `",mode=700`, "ro"}, []string{"size=1k", key + "=" + label, "mode=700"}},
			{[]string{"size=1k", key + `="system_u:object_r:container_file_t:s0:c1`, `c2"`, "mode=700"}, []string{"size=1k", key + "=" + label, "mode=700"}},
			{[]string{key + `="a,ro`, "ro", `b",x`}, []string{key + "=a,ro,ro,b", "x"}},
			{[]string{key + "=a:c1", "mode=700"}, []string{key + "=a:c1", "mode=700"}},
			{[]string{key + `=""`}, []string{key + "="}},
			{[]string{`other="a,b"`}, []string{`other="a`, `b"`}}, // as the kernel has it
		} {
			var got []string
			for _, p := range parseOptions(test.options, false).params {
				text := p.Key
				if p.HasValue {
					text += "=" + p.Value
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%q: %s", test.options, diff)
			}
		}
	}
}

func TestLabelWays(t *testing.T) {
	plan := func(options ...string) (*Plan, error) {
		spec := defaultSpec("/r")
		spec.Mounts = []specs.Mount{{Destination: "/t", Type: "tmpfs", Source: "tmpfs", Options: options}}
		return NewPlan(spec, Options{Bundle: "/"})
	}
	p, err := plan("size=1k", `context="a:c1,c2"`)
	if err != nil {
		t.Fatal(err)
	}
	if p.Mounts[0].legacy() {
		t.Error("a label goes by mount(2)")
	}
	p.Mounts[0].Params = append(p.Mounts[0].Params, Param{Key: "x", Value: strings.Repeat("y", 256), HasValue: true})
	s := p.filesystem(&p.Mounts[0])
	data := s.legacyData()
	if !p.Mounts[0].legacy() || !strings.HasPrefix(data, `size=1k,context="a:c1,c2",x=yyy`) {
		t.Error(data)
	}
	_, err = plan("size=1k", `mode=1,context="a:c1`, "ro")
	if err == nil || !strings.Contains(err.Error(), "has a quote that does not end") {
		t.Error(err)
	}
}

// A span names each option of a mount: those that clear a flag, and its propagation, too.
func TestSpanFlags(t *testing.T) {
	spec := defaultSpec("/r")
	spec.Mounts = []specs.Mount{{Destination: "/t", Type: "tmpfs", Options: []string{"rw", "mode=755", "rprivate", "nosuid", "inode64", "sync"}}}
	p, err := NewPlan(spec, Options{Bundle: "/"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Mounts[0].flags(), "nosuid,rw,sync,rprivate,mode=755,inode64"; got != want {
		t.Errorf("flags %q, want %q", got, want)
	}
}
