package cgroups

import (
	"fmt"
	"path/filepath"
	"strings"
)

// membership is a line of /proc/PID/cgroup (cgroups(7)): in which cgroup of a hierarchy the process
// is.
type membership struct {
	controllers []string // none: the unified hierarchy
	path        string
}

func (o *membership) unified() bool { return len(o.controllers) == 0 }

// mountNames are the directories below Root where the hierarchy may be mounted, likely ones first.
// The names of co-mounted controllers are usually symbolic links to the mount point.
func (o *membership) mountNames(mode Mode) []string {
	if o.unified() {
		if mode == V2 {
			return []string{""}
		}
		return []string{"/unified"}
	}
	if len(o.controllers) == 1 {
		return []string{"/" + strings.TrimPrefix(o.controllers[0], "name=")}
	}
	return []string{"/" + strings.Join(o.controllers, ","), "/" + o.controllers[0]}
}

// parent is where a cgroup with a relative path is made. On v2 that is beside the caller's own
// cgroup: the caller is a process in its cgroup, so no controller could be enabled for a cgroup
// below it.
func (o *membership) parent(mode Mode, relative bool) string {
	switch {
	case !relative:
		return "/"
	case mode == V2:
		return filepath.Dir(o.path)
	}
	return o.path
}

func readMembership(file string) ([]membership, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, err
	}
	return parseMembership(text)
}

func parseMembership(text string) ([]membership, error) {
	out := make([]membership, 0, 16)
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			continue
		}
		_, rest, ok1 := strings.Cut(line, ":")
		names, path, ok2 := strings.Cut(rest, ":")
		if !ok1 || !ok2 || !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("line %q of a cgroup file is not ID:CONTROLLERS:/PATH", line)
		}
		m := membership{path: path}
		if names != "" {
			m.controllers = strings.Split(names, ",")
		}
		out = append(out, m)
	}
	return out, nil
}
