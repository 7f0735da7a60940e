package specconv

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// effects warns of what is no mistake by any rule, but hardly what somebody wants.
func (s *Survey) effects() {
	spec, err := decodeAny(s.draft.raw)
	if err != nil {
		return
	}
	s.procEffects(spec)
	s.mountEffects(spec.Mounts)
	s.limitEffects(spec)
	if spec.Process != nil {
		s.processEffects(spec.Process)
	}
}

// procEffects is about a container without a procfs of its own: its programs see no processes, and
// what is to be masked there isn't there. A bind mount of the root or of /proc brings one along.
func (s *Survey) procEffects(spec *specs.Spec) {
	if !newChecker(spec).has(specs.MountNamespace) || spec.Root == nil || path.Clean(spec.Root.Path) == "/" {
		return
	}
	for i := range spec.Mounts {
		if path.Clean("/"+spec.Mounts[i].Destination) == "/proc" {
			return
		}
	}
	s.Warn("/mounts", "nothing is mounted on /proc: most programs need it")
}

// mountEffects is about mounts that a later one above them covers: who lists /dev/shm before /dev
// has no /dev/shm. (A second one on the same place takes the place of the first: engines do that.)
func (s *Survey) mountEffects(list []specs.Mount) {
	for i := range list {
		at := path.Clean("/" + list[i].Destination)
		if slices.Contains(list[i].Options, "remount") {
			continue
		}
		var hidden []string
		for j := range list[:i] {
			before := path.Clean("/" + list[j].Destination)
			if strings.HasPrefix(before, at+"/") {
				hidden = append(hidden, fmt.Sprintf("/mounts/%d on %q", j, before))
			}
		}
		if hidden != nil {
			s.Warn(Pointer("mounts", i, "destination"), fmt.Sprintf("hides what is mounted before it: %s", strings.Join(hidden, ", ")))
		}
	}
}

// leastMemory is a page, the least that the kernel counts: what is less is none, whoever thought of
// kilobytes or megabytes.
const leastMemory = 4096

// limitEffects is about limits with which no program can run.
func (s *Survey) limitEffects(spec *specs.Spec) {
	if spec.Linux == nil || spec.Linux.Resources == nil {
		return
	}
	r := spec.Linux.Resources
	if m := r.Memory; m != nil && m.Limit != nil && *m.Limit > 0 && *m.Limit < leastMemory {
		s.Warn("/linux/resources/memory/limit", fmt.Sprintf("%d bytes are less than a page of memory: no program can run with that", *m.Limit))
	}
}

// processEffects is about variables with two values.
func (s *Survey) processEffects(p *specs.Process) {
	seen := make(map[string]int, len(p.Env))
	for i, entry := range p.Env {
		name, _, _ := strings.Cut(entry, "=")
		if j, found := seen[name]; found && p.Env[j] != entry {
			s.Warn(Pointer("process", "env", i), fmt.Sprintf("%q has another value than /process/env/%d gives it; this one counts", name, j))
		}
		seen[name] = i
	}
}
