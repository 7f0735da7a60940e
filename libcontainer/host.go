package libcontainer

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/libcontainer/internal/capabilities"
	"oci-run/libcontainer/internal/cgroups"
	"oci-run/libcontainer/internal/criu"
	"oci-run/libcontainer/internal/idmap"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/seccomp"
)

// Host is what this host has, and lets the caller have, as far as containers are made of it: what
// whoever reads the report of a problem has to ask for otherwise.
type Host struct {
	Version string `json:"version"` // of the runtime; the caller's to fill in, as is Commit
	Commit  string `json:"commit"`

	Kernel        string `json:"kernel"` // release and machine, as uname(2) has them
	Build         string `json:"build"`  // of the kernel
	UID           int    `json:"uid"`
	UserNamespace bool   `json:"inUserNamespace"` // the caller is in another one than the host's
	// Lacking are the capabilities that the caller does not have; "all" without any.
	Lacking string `json:"lackingCapabilities"`

	Cgroups    *cgroups.Host   `json:"cgroups"`
	Namespaces []HostNamespace `json:"namespaces"`
	// Restricted is the setting that keeps ordinary users from making user namespaces.
	Restricted string  `json:"userNamespacesRestricted,omitempty"`
	IDs        HostIDs `json:"ids"`

	SecurityModules string   `json:"securityModules"` // as the kernel lists them; "" if it doesn't tell
	SELinux         bool     `json:"selinux"`         // enabled, and a policy loaded
	AppArmor        bool     `json:"apparmor"`        // enabled
	SeccompActions  []string `json:"seccompActions"`
	SeccompFlags    []string `json:"seccompFlags"`
	CRIU            string   `json:"criu"` // its version, or why there is none
	// Instead says what is done otherwise here than where everything is there.
	Instead []string `json:"instead"`
}

// HostNamespace is a kind of namespaces.
type HostNamespace struct {
	Type      string `json:"type"`
	Supported bool   `json:"supported"`
	Limit     string `json:"limit,omitempty"` // how many a user may have; "" if the kernel has no limit
}

// HostIDs is what a user can map into a user namespace beside itself.
type HostIDs struct {
	UIDHelper string `json:"newuidmap"` // its path, or why it can't be used
	GIDHelper string `json:"newgidmap"`
	SubUIDs   string `json:"subuid"` // ranges of /etc/subuid
	SubGIDs   string `json:"subgid"`
}

// Host looks at the host. It changes nothing.
func (f *Factory) Host() *Host {
	h := &Host{
		UID: os.Geteuid(), UserNamespace: idmap.InUserNamespace(), Cgroups: cgroups.LookAtHost(f.Rootless), Restricted: namespaces.Restricted(),
		SecurityModules: lsm.Modules(), SELinux: lsm.SELinuxEnabled(), AppArmor: lsm.AppArmorEnabled(),
		SeccompActions: seccompActions(), SeccompFlags: seccomp.SupportedFlags(), CRIU: criu.Describe(),
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		h.Kernel = unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
		h.Build = unix.ByteSliceToString(u.Version[:])
	}
	if has, err := capabilities.Permitted(false); err == nil {
		h.Lacking = capabilities.Lacking(has)
	}
	for _, k := range namespaces.Kinds {
		limit, _ := k.Limit()
		h.Namespaces = append(h.Namespaces, HostNamespace{string(k.Type), k.Supported(), limit})
	}
	h.IDs.UIDHelper, h.IDs.GIDHelper = idmap.Helpers()
	h.IDs.SubUIDs, h.IDs.SubGIDs = idmap.Subordinate()
	h.Instead = h.instead()
	return h
}

// seccompActions are the actions that the kernel knows, seccomp(2).
func seccompActions() []string {
	text, err := files.Read("/proc/sys/kernel/seccomp/actions_avail")
	if err != nil {
		return []string{}
	}
	return strings.Fields(string(text))
}

// instead lists the ways that are taken where the usual one isn't open.
func (h *Host) instead() (list []string) {
	say := func(when bool, text string) {
		if when {
			list = append(list, text)
		}
	}
	say(h.UID != 0, "init is executed from a copy of the binary in memory: only root may make the mount that it otherwise comes from")
	say(runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64", "exec starts a second Go process: there is no machine code for lists of calls on "+runtime.GOARCH)
	say(h.Cgroups.Mode != cgroups.V2, "the mode is "+string(h.Cgroups.Mode)+": limits go into the hierarchies of cgroup v1, which ordinary users can't be given")
	say(h.Cgroups.Place != "" && !h.Cgroups.Writable, "a container gets no cgroup unless systemd makes it (--systemd-cgroup): limits are refused, and only a pid namespace ends all its processes")
	say(!h.AppArmor, "AppArmor is not enabled: process.apparmorProfile is refused, but for \"unconfined\"")
	say(!h.SELinux, "SELinux is not enabled: process.selinuxLabel and linux.mountLabel are refused")
	return list
}

// Text is the report for people.
func (h *Host) Text() string {
	var b strings.Builder
	line := func(name, format string, a ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name+":", fmt.Sprintf(format, a...))
	}
	line("oci-run", "%s, commit %s", h.Version, h.Commit)
	line("kernel", "%s (%s)", h.Kernel, h.Build)
	line("caller", "uid %d%s, lacks capabilities: %s", h.UID, map[bool]string{true: " in a user namespace"}[h.UserNamespace], orNone(h.Lacking))
	h.Cgroups.Describe(line)
	line("namespaces", "%s", h.namespaces())
	line("user ids", "%s; %s: %s", h.IDs.UIDHelper, "/etc/subuid", h.IDs.SubUIDs)
	line("group ids", "%s; %s: %s", h.IDs.GIDHelper, "/etc/subgid", h.IDs.SubGIDs)
	if h.Restricted != "" {
		line("restriction", "ordinary users may not make user namespaces: %s", h.Restricted)
	}
	line("security", "modules %s; SELinux %s, AppArmor %s", orNone(h.SecurityModules), enabled(h.SELinux), enabled(h.AppArmor))
	line("seccomp", "%s; flags %s", orNone(strings.Join(h.SeccompActions, " ")), orNone(strings.Join(h.SeccompFlags, " ")))
	line("criu", "%s", h.CRIU)
	for _, text := range h.Instead {
		line("instead", "%s", text)
	}
	return b.String()
}

// namespaces lists the kinds with their limits: "pid (127439), time".
func (h *Host) namespaces() string {
	var all []string
	for _, ns := range h.Namespaces {
		switch {
		case !ns.Supported:
			all = append(all, "no "+ns.Type)
		case ns.Limit != "":
			all = append(all, ns.Type+" (at most "+ns.Limit+")")
		default:
			all = append(all, ns.Type)
		}
	}
	return strings.Join(all, ", ")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func enabled(is bool) string {
	if is {
		return "enabled"
	}
	return "not enabled"
}
