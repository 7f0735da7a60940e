package idmap

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"oci-run/internal/files"
	"oci-run/specconv"
)

// Foresee tells why [Write] would fail: an ordinary user has no newuidmap(1) or newgidmap(1), or
// maps ids that /etc/subuid and /etc/subgid don't give him (subuid(5)); and a root of a user
// namespace maps ids that aren't there. An error is a *specconv.FieldError.
func Foresee(uids, gids []Mapping) error {
	for _, f := range []struct {
		mapFile
		maps  []Mapping
		field string
		sub   string
	}{
		{mapFile{name: "uid_map", helper: "newuidmap", own: os.Geteuid()}, uids, "uidMappings", "/etc/subuid"},
		{mapFile{name: "gid_map", helper: "newgidmap", own: os.Getegid()}, gids, "gidMappings", "/etc/subgid"},
	} {
		at := "/linux/" + f.field
		if len(f.maps) == 0 {
			continue
		}
		if os.Geteuid() == 0 {
			if err := foreseeInside(f.name, f.maps, at); err != nil {
				return err
			}
			continue
		}
		if f.mapsOwn(f.maps) {
			continue
		}
		if _, err := findHelper(f.helper); err != nil {
			return specconv.Field(at, err)
		}
		if err := foreseeRanges(f.sub, uint32(f.own), f.maps, at); err != nil {
			return err
		}
	}
	return nil
}

// foreseeInside is for root: the ids to map have to exist in the user namespace that it is in.
func foreseeInside(name string, maps []Mapping, at string) error {
	text, err := files.Read("/proc/self/" + name)
	if err != nil {
		return nil // a kernel without user namespaces; that is somebody else's finding
	}
	have, err := Parse(string(text))
	if err != nil {
		return err
	}
	for i, m := range maps {
		if !within(m, have, func(h Mapping) uint32 { return h.ContainerID }) {
			return specconv.Fieldf(at+specconv.Pointer(i), "the ids %s don't exist in the user namespace that the runtime is in", span(m))
		}
	}
	return nil
}

// foreseeRanges is for a user: what newuidmap allows are its own id and the ranges of a file.
func foreseeRanges(file string, own uint32, maps []Mapping, at string) error {
	ranges, err := subordinate(file)
	if err != nil {
		return specconv.Field(at, err)
	}
	ranges = append(ranges, Mapping{HostID: own, Size: 1})
	for i, m := range maps {
		if !within(m, ranges, func(h Mapping) uint32 { return h.HostID }) {
			return specconv.Fieldf(at+specconv.Pointer(i), "the ids %s are not all uid %d's: %s gives it %s", span(m), os.Geteuid(), file,
				spans(ranges[:len(ranges)-1]))
		}
	}
	return nil
}

// within tells whether the host's side of a mapping is in one of the ranges, or in several that
// follow each other.
func within(m Mapping, ranges []Mapping, first func(Mapping) uint32) bool {
	next, end := uint64(m.HostID), uint64(m.HostID)+uint64(m.Size)
	for next < end {
		reached := next
		for _, r := range ranges {
			if from, to := uint64(first(r)), uint64(first(r))+uint64(r.Size); from <= next && next < to {
				reached = max(reached, to)
			}
		}
		if reached == next {
			return false
		}
		next = reached
	}
	return true
}

// Helpers gives the paths of newuidmap(1) and newgidmap(1), or says that there is none.
func Helpers() (uids, gids string) {
	tell := func(name string) string {
		path, err := findHelper(name)
		if err != nil {
			return "no " + name
		}
		return path
	}
	return tell("newuidmap"), tell("newgidmap")
}

// Subordinate gives the ranges of ids that /etc/subuid and /etc/subgid give the caller, as text for
// people: "100000-165535", or "none". What can't be read says why.
func Subordinate() (uids, gids string) {
	tell := func(file string) string {
		ranges, err := subordinate(file)
		if err != nil {
			return err.Error()
		}
		return spans(ranges)
	}
	return tell("/etc/subuid"), tell("/etc/subgid")
}

// subordinate reads the ranges of the caller: lines of NAME:FIRST:COUNT, where the name may be the
// uid.
func subordinate(file string) ([]Mapping, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	uid := strconv.Itoa(os.Geteuid())
	name := userName(uid)
	var ranges []Mapping
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || fields[0] != uid && (name == "" || fields[0] != name) {
			continue
		}
		from, err1 := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 == nil && err2 == nil {
			ranges = append(ranges, Mapping{HostID: uint32(from), Size: uint32(count)})
		}
	}
	return ranges, nil
}

// userName finds the name of a uid in /etc/passwd, or "". Who is known elsewhere (LDAP) has to be
// in /etc/subuid by uid to be found here.
func userName(uid string) string {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		if fields := strings.SplitN(string(line), ":", 4); len(fields) == 4 && fields[2] == uid {
			return fields[0]
		}
	}
	return ""
}

// span writes the host's side of a mapping: "100000-165535".
func span(m Mapping) string {
	return fmt.Sprintf("%d-%d", m.HostID, uint64(m.HostID)+uint64(m.Size)-1)
}

func spans(ranges []Mapping) string {
	if len(ranges) == 0 {
		return "none"
	}
	var all []string
	for _, r := range ranges {
		all = append(all, span(r))
	}
	return strings.Join(all, ", ")
}
