package cgroups

import (
	"slices"
	"strings"

	"oci-run/internal/files"
)

// mount is a cgroup mount of /proc/self/mountinfo.
type mount struct {
	unified bool
	root    string // the cgroup that is shown at point
	point   string
	options []string // super block options; a v1 hierarchy's controllers are among them
}

func (mt *mount) holds(o *membership) bool {
	if mt.unified || o.unified() {
		return mt.unified == o.unified()
	}
	return slices.Contains(mt.options, o.controllers[0])
}

// cgroupMounts reads the mount table. Only unusual hosts need it, see locate.
func cgroupMounts() ([]mount, error) {
	raw, err := files.Read("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(raw)), nil
}

// parseMounts picks the cgroup mounts out of a mount table (proc_pid_mountinfo(5)).
func parseMounts(table string) []mount {
	var out []mount
	for line := range strings.SplitSeq(table, "\n") {
		head, tail, ok := strings.Cut(line, " - ")
		if !ok || !strings.HasPrefix(tail, "cgroup") {
			continue
		}
		front, back := strings.Fields(head), strings.Fields(tail)
		if len(front) < 6 || len(back) < 3 || (back[0] != "cgroup" && back[0] != "cgroup2") {
			continue
		}
		out = append(out, mount{
			unified: back[0] == "cgroup2",
			root:    unescape(front[3]),
			point:   unescape(front[4]),
			options: strings.Split(back[2], ","),
		})
	}
	return out
}

// unescape undoes the octal escapes \040 (space), \011, \012 and \134.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1]) && isOctal(s[i+2]) && isOctal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isOctal(c byte) bool { return '0' <= c && c <= '7' }
