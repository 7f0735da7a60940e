package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// portrait is what can be seen of a container's process from outside: a success that leaves a
// mount, a limit or a right out is none.
func (m *machine) portrait() map[string]string {
	all := map[string]string{}
	out, err := m.oci("state", m.id)
	var s struct{ PID int }
	if err != nil || json.Unmarshal(out, &s) != nil || s.PID == 0 {
		return all
	}
	proc := fmt.Sprintf("/proc/%d/", s.PID)
	mounts(all, proc)
	for _, l := range lines(proc + "status") {
		name, value, _ := strings.Cut(l, ":")
		if slices.Contains(statusFields, name) {
			if strings.HasPrefix(name, "NS") { // the number in the innermost namespace
				value = value[strings.LastIndexByte(value, '\t')+1:]
			}
			all["status "+name] = value
		}
	}
	for _, name := range []string{"cgroup", "limits", "oom_score_adj", "uid_map", "gid_map"} {
		all[name] = strings.Join(lines(proc+name), "\n")
	}
	for _, name := range []string{"mnt", "pid", "uts", "ipc", "net", "user", "cgroup", "time"} {
		own, _ := os.Readlink(m.proc + "/ns/" + name)
		its, _ := os.Readlink(proc + "ns/" + name)
		all["namespace "+name] = fmt.Sprint("own: ", own != its)
	}
	devices, _ := filepath.Glob(proc + "root/dev/*")
	for _, d := range devices {
		if info, err := os.Lstat(d); err == nil {
			all["device "+filepath.Base(d)] = info.Mode().String()
		}
	}
	m.limits(all)
	return all
}

var statusFields = strings.Fields("Umask Uid Gid Groups NStgid NSsid CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Cpus_allowed")

// mounts adds a container's mounts in their order. Their numbers differ each time.
func mounts(all map[string]string, proc string) {
	for i, l := range lines(proc + "mountinfo") {
		if fields := strings.Fields(l); len(fields) > 6 {
			rest := slices.Clone(fields[5:])
			for j, f := range rest {
				if strings.HasPrefix(f, "shared:") || strings.HasPrefix(f, "master:") {
					rest[j], _, _ = strings.Cut(f, ":")
				}
			}
			all[fmt.Sprintf("mount %02d", i)] = fields[4] + " " + strings.Join(rest, " ")
		}
	}
}

// limits adds what the container's cgroups hold.
func (m *machine) limits(all map[string]string) {
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		for _, file := range []string{"pids.max", "memory.limit_in_bytes", "cpu.shares", "devices.list", "freezer.state", "cgroup.freeze", "cgroup.procs"} {
			found, _ := filepath.Glob(m.root + pattern + "oci-run-tests-" + m.id + "/" + file)
			for _, f := range found {
				value := strings.Join(lines(f), " ")
				if file == "cgroup.procs" {
					value = fmt.Sprint(strings.Count(value, " "), " processes")
				}
				all[f] = value
			}
		}
	}
}

func lines(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// difference names where two portraits differ.
func difference(want, got map[string]string) string {
	var differ []string
	for name, value := range want {
		if got[name] != value {
			differ = append(differ, fmt.Sprintf("%s is %q, not %q", name, got[name], value))
		}
	}
	for name, value := range got {
		if _, known := want[name]; !known {
			differ = append(differ, fmt.Sprintf("%s is %q, not there", name, value))
		}
	}
	slices.Sort(differ)
	return strings.Join(differ, "; ")
}
