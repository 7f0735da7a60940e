package cgroups

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/cgroups/systemd"
)

// Host is what the caller can have of the host's control groups.
type Host struct {
	Mode Mode `json:"mode"`
	// Controllers are those that the kernel has here.
	Controllers []string `json:"controllers"`
	// Place is where a container of the caller's without linux.cgroupsPath gets its cgroup: the
	// directory in the unified hierarchy, or in the first of v1. Writable says that it may.
	Place    string `json:"place,omitempty"`
	Writable bool   `json:"writable"`
	// Limits are the controllers that such a container can be limited by.
	Limits []string `json:"limits"`
	// Delegated are the controllers that the user's systemd manager can give with --systemd-cgroup;
	// an ordinary user's only.
	Delegated []string `json:"systemdDelegates,omitempty"`
	// Systemd is its version, or why it doesn't answer.
	Systemd string `json:"systemd"`
	// Advice is what an ordinary user can do to get more; "" if there is nothing.
	Advice string `json:"advice,omitempty"`
}

// patience is how long a report waits for systemd.
const patience = 2 * time.Second

// LookAtHost finds out what the caller can have.
func LookAtHost(rootless bool) *Host {
	h := &Host{Mode: CurrentMode(), Controllers: []string{}, Limits: []string{}, Systemd: systemdVersion(rootless)}
	places, err := planPaths(h.Mode, "", "x")
	if err != nil {
		h.Place = err.Error()
	}
	for i := range places {
		h.take(&places[i])
	}
	if h.Mode == V2 && rootless {
		h.Delegated = delegatedTo(os.Geteuid())
	}
	if rootless && !h.suffices() {
		h.Advice = adviceFor(h.Mode)
	}
	return h
}

// suffices tells whether all controllers that engines use are there for the caller.
func (h *Host) suffices() bool {
	for _, name := range [...]string{"cpu", "cpuset", "io", "memory", "pids"} {
		if !slices.Contains(h.Limits, name) && !slices.Contains(h.Delegated, name) {
			return false
		}
	}
	return true
}

// take adds what one hierarchy has.
func (h *Host) take(place *Hierarchy) {
	above := existing(place.Dir())
	writable := unix.Access(above, unix.W_OK) == nil
	if place.unified() != (h.Mode == V2) || place.has("name=systemd") {
		return // which have no controllers
	}
	here, offered := place.Controllers, place.Controllers
	if place.unified() {
		here, offered = controllersOf(place.Mount), controllersOf(above)
	}
	h.Controllers = append(h.Controllers, here...)
	if h.Place == "" {
		h.Place, h.Writable = above, writable
	}
	if writable {
		h.Limits = append(h.Limits, offered...)
	}
}

func controllersOf(dir string) []string {
	text, _ := readFile(dir + "/cgroup.controllers") // none, if it can't be read
	return strings.Fields(text)
}

// delegatedTo lists what systemd has delegated to a user's manager (user@.service), nil without
// one.
func delegatedTo(uid int) []string {
	return controllersOf(fmt.Sprintf("%s/user.slice/user-%d.slice/user@%d.service", mountRoot, uid, uid))
}

// systemdVersion asks the manager that would make the caller's scopes.
func systemdVersion(user bool) string {
	c, err := systemd.Dial(user, patience)
	if err != nil {
		return "not reached: " + err.Error()
	}
	defer c.Close()
	version, err := c.ManagerString("Version")
	if err != nil {
		return "not reached: " + err.Error()
	}
	return version
}

// Describe tells people what there is, a line for each subject.
func (h *Host) Describe(line func(name, format string, a ...any)) {
	list := func(names []string) string {
		if len(names) == 0 {
			return "none"
		}
		return strings.Join(names, " ")
	}
	line("cgroups", "%s; the kernel has %s", h.Mode, list(h.Controllers))
	switch {
	case h.Place == "":
		line("limits", "there is no cgroup below which one could be made")
	case !h.Writable:
		line("limits", "none: the caller may not make a cgroup in %s", h.Place)
	default:
		line("limits", "%s, in %s", list(h.Limits), h.Place)
	}
	if h.Delegated != nil {
		line("delegated", "%s, to the user's systemd manager", list(h.Delegated))
	}
	line("systemd", "%s", h.Systemd)
	if h.Advice != "" {
		line("advice", "%s", h.Advice)
	}
}
