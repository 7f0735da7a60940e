package cgroups

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// What an ordinary user can do about limits that can't be set, by mode. systemd gives its users no
// more than memory and pids of a pure v2 system's controllers; whoever administrates it can change
// that.
const (
	adviceV2 = "for limits, the user needs a cgroup: let systemd make it (--systemd-cgroup), and have root allow all controllers: " +
		`mkdir -p /etc/systemd/system/user@.service.d; ` +
		`printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >/etc/systemd/system/user@.service.d/delegate.conf; ` +
		`systemctl daemon-reload; then log in again`
	adviceV1 = "cgroup v1 can't be delegated to users: boot with cgroup v2 alone (kernel parameter systemd.unified_cgroup_hierarchy=1), " +
		"or leave linux.resources and linux.cgroupsPath out"
)

// advise adds the remedy to an error of a user who lacks permission for cgroups.
func (r *Record) advise(err error) error { return r.adviseOn(err, err) }

// adviseOn is advise for an error that says more than its cause.
func (r *Record) adviseOn(cause, err error) error {
	if cause == nil || !r.Rootless || !denied(cause) && !errors.Is(cause, unix.ENOENT) && !errors.Is(cause, errNoCgroup) {
		return err
	}
	return fmt.Errorf("%w (%s)", err, adviceFor(r.Mode))
}

func adviceFor(mode Mode) string {
	if mode == V2 {
		return adviceV2
	}
	return adviceV1
}
