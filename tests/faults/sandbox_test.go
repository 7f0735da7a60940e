package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// System calls that the filters of sandboxes refuse, or don't know: Docker's default one,
// systemd-nspawn's, and old versions of libseccomp.
var (
	// needed are those without which there is no container.
	needed = words(`fsopen fsconfig fsmount move_mount open_tree mount_setattr pidfd_open pidfd_send_signal execveat keyctl`)
	// dispensable are those that something else stands in for, or that do without.
	dispensable = words(`clone3 memfd_create pidfd_getfd faccessat2 name_to_handle_at bpf perf_event_open ioprio_get ioprio_set
		sched_getattr sched_setattr get_mempolicy set_mempolicy personality syslog add_key openat2 close_range statx
		clone3,memfd_create,faccessat2,bpf,openat2,close_range,statx`)
)

// TestSandboxes runs commands in a sandbox that refuses some of these: they work, or, if a call is
// needed, the error names it and says that a filter refuses it.
func TestSandboxes(t *testing.T) {
	names, reaper := equipped(t)
	for _, kind := range []string{"plain", "user namespace"} {
		if depth() == core && kind != "plain" {
			continue
		}
		c := &configurations[slices.IndexFunc(configurations, func(c configuration) bool { return c.name == kind })]
		m := newMachine(t, names, reaper, &scenario{verb: "sandbox", program: sleeps}, c)
		for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
			for _, call := range slices.Concat(needed, dispensable) {
				t.Run(fmt.Sprintf("%s/%s/%s", kind, call, unix.ErrnoName(errno)), func(t *testing.T) {
					m.t = t
					m.sandbox = m.deny(errno, strings.Split(call, ","))
					said := m.life()
					m.sandbox = ""
					t.Log(said)
					if said != "works" && (slices.Contains(dispensable, call) || !named(said, call)) {
						t.Errorf("without %s it does not work, or does not say that a filter refuses that: %s", call, said)
					}
					if o, what := m.removed(); o != "" {
						t.Errorf("%s: %s", o, what)
					}
				})
			}
		}
	}
}

// named tells whether an error names a call, and who refuses it.
func named(said, call string) bool {
	return strings.Contains(said, "a seccomp filter") && strings.Contains(said, call)
}

// deny is what has a program become another one whose calls of these names are refused.
func (m *machine) deny(errno unix.Errno, calls []string) string {
	var deny strings.Builder
	deny.WriteString(fmt.Sprint(int(errno)))
	for number, name := range m.names {
		if slices.Contains(calls, name) {
			deny.WriteString(fmt.Sprint(",", number))
		}
	}
	return deny.String()
}

// life leads a container through its life, and says at which verb it ends and why.
func (m *machine) life() string {
	for _, args := range [][]string{{"create", m.id}, {"start", m.id}, {"exec", m.id, "/bin/echo", "done"}, {"pause", m.id}, {"resume", m.id},
		{"kill", m.id, "KILL"}, {"delete", "--force", m.id}} {
		if out, err := m.oci(args...); err != nil {
			return fmt.Sprintf("%s: %s", args[0], message(string(out)))
		}
	}
	return "works"
}
