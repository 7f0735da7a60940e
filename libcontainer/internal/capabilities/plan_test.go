package capabilities

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestNames(t *testing.T) {
	for n, name := range Names() {
		if got, ok := Number(name); name == "" || !ok || got != n {
			t.Errorf("capability %d is called %q, which is number %d, %v", n, name, got, ok)
		}
	}
	for _, name := range []string{"", "CAP_", "cap_kill", "KILL", "CAP_KILL "} {
		if n, ok := Number(name); ok {
			t.Errorf("Number(%q) = %d", name, n)
		}
	}
}

func TestNewPlan(t *testing.T) {
	const (
		chown  = 1 << unix.CAP_CHOWN
		kill   = 1 << unix.CAP_KILL
		syslog = 1 << unix.CAP_SYSLOG
	)
	both := []string{"CAP_CHOWN", "CAP_KILL"}
	for _, test := range []struct {
		name      string
		in        *specs.LinuxCapabilities
		available uint64
		want      Plan
		warnings  []string
	}{
		{name: "absent", available: all},
		{name: "empty", in: &specs.LinuxCapabilities{}, available: all},
		{
			name: "five sets", available: all,
			in: &specs.LinuxCapabilities{
				Bounding: append(both, "CAP_SYSLOG"), Effective: both[1:], Permitted: both, Inheritable: both, Ambient: both[:1],
			},
			want: Plan{Bounding: chown | kill | syslog, Effective: kill, Permitted: chown | kill, Inheritable: chown | kill, Ambient: chown},
		},
		{
			name: "unknown names, once each", available: all,
			in:       &specs.LinuxCapabilities{Bounding: []string{"CAP_UNKNOWN", "CAP_KILL"}, Permitted: []string{"CAP_UNKNOWN", "kill"}},
			want:     Plan{Bounding: kill},
			warnings: []string{`unknown capabilities: "CAP_UNKNOWN", "kill"`},
		},
		{
			name: "not available", available: kill,
			in:       &specs.LinuxCapabilities{Bounding: both, Effective: both, Permitted: both},
			want:     Plan{Bounding: kill, Effective: kill, Permitted: kill},
			warnings: []string{"does not have itself: CAP_CHOWN"},
		},
		{
			name: "effective beyond permitted, inheritable beyond bounding", available: all,
			in:       &specs.LinuxCapabilities{Bounding: both[1:], Effective: both, Permitted: both[1:], Inheritable: both},
			want:     Plan{Bounding: kill, Effective: kill, Permitted: kill, Inheritable: kill},
			warnings: []string{"not permitted: CAP_CHOWN", "not in the bounding set: CAP_CHOWN"},
		},
		{
			name: "ambient not inheritable", available: all,
			in:       &specs.LinuxCapabilities{Bounding: both, Permitted: both, Inheritable: both[1:], Ambient: both},
			want:     Plan{Bounding: chown | kill, Permitted: chown | kill, Inheritable: kill, Ambient: kill},
			warnings: []string{"can't raise ambient capability CAP_CHOWN: "},
		},
		{
			name: "ambient alone", available: all,
			in:       &specs.LinuxCapabilities{Bounding: both, Ambient: both},
			want:     Plan{Bounding: chown | kill},
			warnings: []string{"can't raise ambient capability CAP_CHOWN: it is not both permitted and inheritable, and neither are CAP_KILL"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, warnings := NewPlan(test.in, test.available, "/process/capabilities")
			if diff := cmp.Diff(test.want, *p); diff != "" {
				t.Error(diff)
			}
			if len(warnings) != len(test.warnings) {
				t.Fatalf("warnings %q, want %q", warnings, test.warnings)
			}
			for i, want := range test.warnings {
				if !strings.Contains(warnings[i].Error(), want) {
					t.Errorf("warning %q does not contain %q", warnings[i], want)
				}
			}
		})
	}
}

func FuzzNewPlan(f *testing.F) {
	f.Add("CAP_KILL", "CAP_CHOWN", uint64(all))
	f.Add("", "x", uint64(0))
	f.Fuzz(func(t *testing.T, a, b string, available uint64) {
		p, _ := NewPlan(&specs.LinuxCapabilities{
			Bounding: []string{a}, Effective: []string{a, b}, Permitted: []string{b}, Inheritable: []string{b, a}, Ambient: []string{a, b},
		}, available&all, "")
		if p.Effective&^p.Permitted|p.Inheritable&^p.Bounding|p.Ambient&^(p.Permitted&p.Inheritable) != 0 {
			t.Errorf("the kernel would refuse %+v", p)
		}
	})
}
