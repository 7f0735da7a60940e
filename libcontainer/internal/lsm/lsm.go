// Package lsm gives a container's process its SELinux label and AppArmor profile.
//
// The parent calls NewPlan, which fails if the host does not have the security module that the
// config asks for. The calls that Plan.Add adds write the attributes of the process through a
// procfs handle that nobody in the container can have mounted over (CVE-2019-16884,
// CVE-2025-52881). The label of mounts, linux.mountLabel, is applied by package rootfs.
package lsm

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

// Plan is what the process shall be labelled with from execve on. An empty string asks for nothing.
type Plan struct {
	SELinux  string // context, "user:role:type:level"
	AppArmor string // name of a loaded profile
}

// NewPlan checks p, which is spec.Process or the process of an exec. at is its JSON pointer.
// mountLabel is linux.mountLabel. Errors are *specconv.FieldError.
func NewPlan(p *specs.Process, mountLabel, at string) (*Plan, error) {
	plan := &Plan{SELinux: p.SelinuxLabel, AppArmor: p.ApparmorProfile}
	if plan.AppArmor == unconfined && !AppArmorEnabled() {
		// What is asked for is already so.
		plan.AppArmor = ""
	}
	switch {
	case strings.ContainsAny(plan.SELinux, "\x00\n"):
		return nil, specconv.Fieldf(at+"/selinuxLabel", "%q is not a SELinux label", plan.SELinux)
	case strings.ContainsAny(plan.AppArmor, "\x00\n"):
		return nil, specconv.Fieldf(at+"/apparmorProfile", "%q is not the name of an AppArmor profile", plan.AppArmor)
	case plan.SELinux != "" && !SELinuxEnabled():
		return nil, specconv.Fieldf(at+"/selinuxLabel", "SELinux label %q: SELinux is not enabled on this host", plan.SELinux)
	case mountLabel != "" && !SELinuxEnabled():
		return nil, specconv.Fieldf("/linux/mountLabel", "SELinux label %q: SELinux is not enabled on this host", mountLabel)
	case plan.AppArmor != "" && !AppArmorEnabled():
		return nil, specconv.Fieldf(at+"/apparmorProfile", "AppArmor profile %q: AppArmor is not enabled on this host", plan.AppArmor)
	}
	return plan, nil
}

// unconfined is AppArmor's name for no profile.
const unconfined = "unconfined"

// selinuxMagic is the f_type of selinuxfs (SELINUX_MAGIC).
const selinuxMagic = 0xf97cff8c

// SELinuxEnabled tells whether this host labels processes by a SELinux policy: selinuxfs is
// mounted, and a policy has been loaded, without which every process is called "kernel".
func SELinuxEnabled() bool {
	var st unix.Statfs_t
	if unix.Statfs("/sys/fs/selinux", &st) != nil || uint32(st.Type) != selinuxMagic {
		return false
	}
	label, err := files.Read("/proc/self/attr/current")
	return err == nil && strings.TrimRight(string(label), "\x00\n") != "kernel"
}

// AppArmorEnabled tells whether AppArmor is active on this host and visible here. A container
// without securityfs counts as a host without AppArmor: no profile can be loaded from there.
func AppArmorEnabled() bool {
	enabled, err := files.Read("/sys/module/apparmor/parameters/enabled")
	return err == nil && len(enabled) > 0 && enabled[0] == 'Y' && unix.Access("/sys/kernel/security/apparmor", unix.F_OK) == nil
}

// AddKeys makes the keys and keyrings that the calls added by then create carry the process's
// SELinux label, and those after them no longer. proc is a directory fd of procfs that the process
// has at the same number.
func (p *Plan) AddKeys(l *calls.List, proc int, then func()) {
	if p.SELinux != "" {
		add(l, proc, "attr/keycreate", p.SELinux, "")
	}
	then()
	if p.SELinux != "" {
		add(l, proc, "attr/keycreate", "", "")
	}
}

// Add has the process's next execve change to the SELinux label and the AppArmor profile. proc is a
// directory fd of procfs that the process has at the same number. Another module than AppArmor may
// own attr/exec; AppArmor has files of its own below attr/apparmor (Linux 5.8).
func (p *Plan) Add(l *calls.List, proc int) {
	if p.SELinux != "" {
		add(l, proc, "attr/exec", p.SELinux, "")
	}
	if p.AppArmor != "" {
		add(l, proc, "attr/apparmor/exec", "exec "+p.AppArmor, fmt.Sprintf(" (is the profile %q loaded?)", p.AppArmor))
	}
}

// add writes value to a file of the process. hint explains why a write is ENOENT. Podman looks for
// the path in back quotes to tell errors of this kind.
func add(l *calls.List, proc int, attribute, value, hint string) {
	path := "thread-self/" + attribute
	open := l.OpenInProc(proc, path, unix.O_WRONLY).Or("open `/proc/%s`", path)
	opened := l.Do(calls.Load, open.Result)
	write := l.Do(unix.SYS_WRITE, 0, l.Bytes([]byte(value)), uintptr(len(value)))
	opened.Into = write
	again := l.Do(calls.Load, open.Result)
	again.Into = l.Do(unix.SYS_CLOSE)
	write.Explain = func(errno unix.Errno) error {
		if errno != unix.ENOENT {
			hint = ""
		}
		return fmt.Errorf("write %q to `/proc/%s`: %w%s", value, path, errno, hint)
	}
}
