package rdt

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
)

// usual is where the kernel has a directory for resctrl to be mounted on.
const usual = "/sys/fs/resctrl"

var errNoResctrl = errors.New("no resctrl filesystem is mounted: mount -t resctrl resctrl " + usual +
	" (this requires a processor with cache or bandwidth allocation, and a kernel with CONFIG_X86_CPU_RESCTRL or the like)")

// mountPoint finds resctrl: "If no mounted resctrl pseudo-filesystem is available in the runtime
// mount namespace, the runtime MUST generate an error".
func mountPoint() (string, error) {
	var st unix.Statfs_t
	if unix.Statfs(usual, &st) == nil && int64(st.Type) == unix.RDTGROUP_SUPER_MAGIC { // differs by architecture
		return usual, nil
	}
	mounts, err := files.Read("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		if path, found := resctrlAt(line); found {
			return path, nil
		}
	}
	return "", errNoResctrl
}

// resctrlAt takes the mount point from a line of mountinfo, proc_pid_mountinfo(5), if it is
// resctrl's.
func resctrlAt(line string) (path string, found bool) {
	mount, filesystem, _ := strings.Cut(line, " - ")
	fields := strings.Fields(mount)
	if !strings.HasPrefix(filesystem, "resctrl ") || len(fields) < 5 {
		return "", false
	}
	return unescape(fields[4]), true
}

// unescape resolves the \ooo that mountinfo has for blanks and backslashes.
func unescape(s string) string {
	for _, e := range [...][2]string{{`\040`, " "}, {`\011`, "\t"}, {`\012`, "\n"}, {`\134`, `\`}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
	return s
}
