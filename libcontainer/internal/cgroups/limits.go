package cgroups

import (
	"maps"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// limits are what a cgroup is to be given: linux.resources without the device rules, and unified
// sorted by file name. The groups Memory, CPU, Pids, BlockIO and Network are never nil, and are
// copies: what is completed here doesn't change the configuration.
type limits struct {
	specs.LinuxResources
	unified []setting
}

// setting is an entry of linux.resources.unified.
type setting struct{ file, value string }

// newLimits copies r, which may be nil.
func newLimits(r *specs.LinuxResources) *limits {
	l := &limits{}
	if r != nil {
		l.LinuxResources = *r
		l.unified = sortedUnified(r.Unified)
	}
	l.Devices, l.Unified = nil, nil
	l.Memory, l.CPU, l.Pids = clone(l.Memory), clone(l.CPU), clone(l.Pids)
	l.BlockIO, l.Network = clone(l.BlockIO), clone(l.Network)
	return l
}

// clone copies what p points to, or makes an empty one.
func clone[T any](p *T) *T {
	v := value(p)
	return &v
}

// value gives what p points to, or the zero value, which engines and both peers take for "not set".
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func sortedUnified(m map[string]string) []setting {
	var out []setting
	for _, file := range slices.Sorted(maps.Keys(m)) {
		out = append(out, setting{file, m[file]})
	}
	return out
}

// find gives the entry of unified for a file, or nil.
func (l *limits) find(file string) *setting {
	for i := range l.unified {
		if l.unified[i].file == file {
			return &l.unified[i]
		}
	}
	return nil
}

// empty tells whether there is nothing that a file of either version would be written for.
func (l *limits) empty() bool {
	if len(l.unified) > 0 {
		return false
	}
	for i := range table {
		if len(table[i].lines(l)) > 0 {
			return false
		}
	}
	return true
}
