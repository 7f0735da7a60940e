package process

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

func planPersonality(plan *Plan, _ *specs.Process, spec *specs.Spec, _ string) error {
	if spec.Linux == nil || spec.Linux.Personality == nil {
		return nil
	}
	asked := spec.Linux.Personality
	if len(asked.Flags) > 0 {
		return specconv.Fieldf("/linux/personality/flags/0", "invalid personality flag %q: there is none", asked.Flags[0])
	}
	for i := range specconv.PersonalityDomains {
		if d := &specconv.PersonalityDomains[i]; d.Name == asked.Domain {
			plan.Personality = &d.Value
			return nil
		}
	}
	return specconv.Fieldf("/linux/personality/domain", "invalid personality domain %q", asked.Domain)
}

// addPersonality sets the execution domain. Many seccomp profiles forbid the call: it comes before
// the filter.
func (p *Plan) addPersonality(l *calls.List) {
	if p.Personality != nil {
		l.Do(unix.SYS_PERSONALITY, uintptr(*p.Personality)).Or("set personality %#x", *p.Personality)
	}
}
