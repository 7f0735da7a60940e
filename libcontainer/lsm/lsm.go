// Package lsm gives a container's process its SELinux label and AppArmor profile.
//
// The parent calls NewPlan, which fails if the host does not have the security module that the config asks for. Init writes the
// attributes of its own thread through a procfs handle that nobody in the container can have mounted over (CVE-2019-16884,
// CVE-2025-52881). The label of mounts, linux.mountLabel, is applied by package rootfs.
package lsm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/linux"
	"oci-run/specconv"
)

// Plan is what the process shall be labelled with from execve on. An empty string asks for nothing.
type Plan struct {
	SELinux  string // context, "user:role:type:level"
	AppArmor string // name of a loaded profile
}

// NewPlan checks p, which is spec.Process or the process of an exec. at is its JSON pointer. mountLabel is linux.mountLabel.
// Errors are *specconv.FieldError.
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

// SELinuxEnabled tells whether this host labels processes by a SELinux policy: selinuxfs is mounted, and a policy has been loaded,
// without which every process is called "kernel".
func SELinuxEnabled() bool {
	var st unix.Statfs_t
	if unix.Statfs("/sys/fs/selinux", &st) != nil || uint32(st.Type) != selinuxMagic {
		return false
	}
	label, err := linux.ReadFile("/proc/self/attr/current")
	return err == nil && strings.TrimRight(string(label), "\x00\n") != "kernel"
}

// AppArmorEnabled tells whether AppArmor is active on this host and visible here. A container without securityfs counts as a host
// without AppArmor: no profile can be loaded from there.
func AppArmorEnabled() bool {
	enabled, err := linux.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && len(enabled) > 0 && enabled[0] == 'Y' && unix.Access("/sys/kernel/security/apparmor", unix.F_OK) == nil
}

// LabelKeys makes the keys and keyrings that the calling thread creates carry the process's SELinux label. It comes before the
// session keyring is joined; the function that it returns undoes it. proc is a directory fd of procfs.
func (p *Plan) LabelKeys(proc int) (undo func() error, err error) {
	if p.SELinux == "" {
		return func() error { return nil }, nil
	}
	const attribute = "attr/keycreate"
	return func() error { return write(proc, attribute, "") }, write(proc, attribute, p.SELinux)
}

// LabelExec makes the calling thread's next execve change to the SELinux label. proc is a directory fd of procfs.
func (p *Plan) LabelExec(proc int) error {
	if p.SELinux == "" {
		return nil
	}
	return write(proc, "attr/exec", p.SELinux)
}

// ProfileExec makes the calling thread's next execve change to the AppArmor profile. proc is a directory fd of procfs. On kernels
// where another module than AppArmor may own attr/exec, AppArmor has files of its own below attr/apparmor (Linux 5.8).
func (p *Plan) ProfileExec(proc int) error {
	if p.AppArmor == "" {
		return nil
	}
	command := "exec " + p.AppArmor
	err := write(proc, "attr/apparmor/exec", command)
	if errors.Is(err, errNoAttribute) {
		err = write(proc, "attr/exec", command)
	}
	if errors.Is(err, unix.ENOENT) && !errors.Is(err, errNoAttribute) {
		err = fmt.Errorf("%w (is the profile %q loaded?)", err, p.AppArmor)
	}
	return err
}

// errNoAttribute tells a missing file from a missing profile, which is ENOENT as well.
var errNoAttribute = errors.New("open")

// write writes value to a file of the calling thread. Podman looks for the path in back quotes to tell errors of this kind.
func write(proc int, attribute, value string) error {
	const how = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV
	fd, err := linux.Openat2(proc, "thread-self/"+attribute, unix.O_WRONLY, 0, how)
	if err != nil {
		return fmt.Errorf("%w `/proc/thread-self/%s`: %w", errNoAttribute, attribute, err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(value)); err != nil {
		return fmt.Errorf("write %q to `/proc/thread-self/%s`: %w", value, attribute, err)
	}
	return nil
}
