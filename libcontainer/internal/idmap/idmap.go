// Package idmap handles the uid and gid mappings of user namespaces: it translates ids, reads and
// writes /proc/PID/uid_map and gid_map, and keeps user-namespace fds for idmapped mounts.
//
// The parent uses it; that mappings do not overlap and are not empty has been checked by specconv.
package idmap

import (
	"slices"
	"sort"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Mapping is one extent of an id map: Size ids from ContainerID are the ids from HostID outside.
type Mapping = specs.LinuxIDMapping

// HostID translates an id of the container. ok is false if it is not mapped.
func HostID(maps []Mapping, id uint32) (host uint32, ok bool) {
	for _, m := range maps {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return m.HostID + (id - m.ContainerID), true
		}
	}
	return 0, false
}

// ContainerID translates an id of the host. ok is false if it is not mapped.
func ContainerID(maps []Mapping, id uint32) (container uint32, ok bool) {
	for _, m := range maps {
		if id >= m.HostID && id-m.HostID < m.Size {
			return m.ContainerID + (id - m.HostID), true
		}
	}
	return 0, false
}

// compact returns the same mapping in as few extents as possible, by ContainerID. It leaves out
// empty extents.
func compact(maps []Mapping) []Mapping {
	sorted := slices.Clone(maps)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].ContainerID < sorted[j].ContainerID })
	out := sorted[:0]
	for _, m := range sorted {
		if m.Size == 0 {
			continue
		}
		if n := len(out); n > 0 && follows(out[n-1], m) {
			out[n-1].Size += m.Size
			continue
		}
		out = append(out, m)
	}
	return out
}

// follows tells whether b continues a both inside and outside.
func follows(a, b Mapping) bool {
	inside, outside := uint64(a.ContainerID)+uint64(a.Size), uint64(a.HostID)+uint64(a.Size)
	return inside == uint64(b.ContainerID) && outside == uint64(b.HostID)
}

// Equal tells whether a and b map the same ids to the same ids, however they are cut into extents.
func Equal(a, b []Mapping) bool { return slices.Equal(compact(a), compact(b)) }
