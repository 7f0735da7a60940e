package idmap

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// maxExtents is how many the kernel takes, and maxBytes how long the text may be that says them in
// the one write which a map file allows: less than a page (user_namespaces(7)).
const maxExtents = 340

func maxBytes() int { return os.Getpagesize() - 1 }

// Parse reads the text of a uid_map or gid_map file: lines of container id, host id and size.
func Parse(text string) ([]Mapping, error) {
	var maps []Mapping
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("id map line %q does not have three fields", line)
		}
		var n [3]uint32
		for i, field := range fields {
			v, err := strconv.ParseUint(field, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("id map line %q: %q is not an id", line, field)
			}
			n[i] = uint32(v)
		}
		maps = append(maps, Mapping{ContainerID: n[0], HostID: n[1], Size: n[2]})
	}
	return maps, nil
}

// Format gives the text that the kernel takes for maps, in as few extents as possible. It fails if
// that is still more than the kernel takes: 340 extents, or a page of text.
func Format(maps []Mapping) ([]byte, error) {
	few := compact(maps)
	if len(few) > maxExtents {
		return nil, fmt.Errorf("%d id mappings: the kernel takes at most %d", len(few), maxExtents)
	}
	var b []byte
	for _, m := range few {
		for i, n := range [...]uint32{m.ContainerID, m.HostID, m.Size} {
			if i > 0 {
				b = append(b, ' ')
			}
			b = strconv.AppendUint(b, uint64(n), 10)
		}
		b = append(b, '\n')
	}
	if most := maxBytes(); len(b) > most {
		return nil, fmt.Errorf("%d id mappings are %d bytes of text: the kernel takes at most %d", len(few), len(b), most)
	}
	return b, nil
}

// readFile returns the mappings of the user namespace of process pid, as seen from the caller's.
func readFile(pid int) (uids, gids []Mapping, err error) {
	if uids, err = readMap(pid, "uid_map"); err != nil {
		return nil, nil, err
	}
	if gids, err = readMap(pid, "gid_map"); err != nil {
		return nil, nil, err
	}
	return uids, gids, nil
}

func readMap(pid int, name string) ([]Mapping, error) {
	path := procPath(pid, name)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	maps, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return maps, nil
}

func procPath(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }
