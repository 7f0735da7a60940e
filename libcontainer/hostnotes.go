package libcontainer

import (
	"strconv"
	"strings"
)

// Annotations are what the host has, as annotations of a features document: the document itself
// says what the runtime supports wherever it runs (features.md). Lists are separated by blanks.
func (h *Host) Annotations() map[string]string {
	const prefix = "io.github.oci-run.host."
	var kinds []string
	for _, ns := range h.Namespaces {
		if ns.Supported {
			kinds = append(kinds, ns.Type)
		}
	}
	list := map[string]string{
		prefix + "kernel":             h.Kernel,
		prefix + "cgroup.mode":        string(h.Cgroups.Mode),
		prefix + "cgroup.controllers": strings.Join(h.Cgroups.Controllers, " "),
		prefix + "cgroup.limits":      strings.Join(h.Cgroups.Limits, " "), // those that the caller can set
		prefix + "namespaces":         strings.Join(kinds, " "),
		prefix + "seccomp.actions":    strings.Join(h.SeccompActions, " "), // in the kernel's words
		prefix + "seccomp.flags":      strings.Join(h.SeccompFlags, " "),
		prefix + "apparmor.enabled":   strconv.FormatBool(h.AppArmor),
		prefix + "selinux.enabled":    strconv.FormatBool(h.SELinux),
		prefix + "criu":               h.CRIU,
	}
	for i, text := range h.Instead {
		list[prefix+"instead."+strconv.Itoa(i+1)] = text
	}
	return list
}
