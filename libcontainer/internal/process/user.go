package process

import (
	"errors"
	"fmt"
	"math"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

// defaultUmask is what a process gets when the config is silent; the spec leaves it open, runc and
// crun use this one.
const defaultUmask = 0o022

// KeepGroups is the annotation that leaves the process the supplementary groups of the runtime's
// caller, whatever the config says of groups: Podman sets it for --group-add keep-groups, so that
// files of a user's groups are within reach of his container.
const KeepGroups = "run.oci.keep_original_groups"

// invalidID is (uid_t) -1, which set*id(2) takes for "leave as it is".
const invalidID = math.MaxUint32

func planUser(plan *Plan, p *specs.Process, spec *specs.Spec, at string) error {
	user := &p.User
	if user.UID == invalidID {
		return specconv.Fieldf(at+"/user/uid", "%d is not a user id", user.UID)
	}
	if user.GID == invalidID {
		return specconv.Fieldf(at+"/user/gid", "%d is not a group id", user.GID)
	}
	for i, gid := range user.AdditionalGids {
		if gid == invalidID {
			return specconv.Fieldf(at+specconv.Pointer("user", "additionalGids", i), "%d is not a group id", gid)
		}
	}
	plan.Umask = defaultUmask
	if user.Umask != nil {
		if *user.Umask > 0o777 {
			return specconv.Fieldf(at+"/user/umask", "umask %#o is beyond 0777", *user.Umask)
		}
		plan.Umask = *user.Umask
	}
	plan.UID, plan.GID, plan.Groups = user.UID, user.GID, user.AdditionalGids
	_, plan.KeepGroups = spec.Annotations[KeepGroups]
	return nil
}

// AddUser makes the process the container's user: supplementary groups, gid, uid, in this order
// since the last takes the right to change the others. proc is a directory fd of procfs, or -1.
// Inside a user namespace that denies setgroups(2), as one made without privileges does, the
// inherited groups stay; asking for groups there is an error.
func (p *Plan) AddUser(l *calls.List, proc int) {
	if !p.KeepGroups {
		groups := l.Do(linux.SysSetgroups, uintptr(len(p.Groups)), l.Halves(p.Groups...))
		groups.Explain = func(errno unix.Errno) error {
			hint := unmapped(errno)
			if errno == unix.EPERM && p.groupsDenied(proc) {
				hint = " (the user namespace was made without the right to set groups: /proc/self/setgroups says deny)"
			}
			return specconv.Fieldf(p.At+"/user/additionalGids", "set groups %v: %w%s", p.Groups, errno, hint)
		}
		if len(p.Groups) == 0 && p.groupsDenied(proc) {
			groups.Expect = []unix.Errno{unix.EPERM}
		}
	}
	gid, uid := uintptr(p.GID), uintptr(p.UID)
	l.Do(linux.SysSetresgid, gid, gid, gid).Explain = func(errno unix.Errno) error { return idError("gid", p.GID, errno) }
	l.Do(linux.SysSetresuid, uid, uid, uid).Explain = func(errno unix.Errno) error { return idError("uid", p.UID, errno) }
}

func (p *Plan) groupsDenied(proc int) bool {
	if p.GroupsDenied || proc < 0 {
		return p.GroupsDenied
	}
	state, err := readFile(proc, "self/setgroups")
	return err == nil && state == "deny\n"
}

func idError(kind string, id uint32, errno unix.Errno) error {
	return fmt.Errorf("set %s %d: %w%s", kind, id, errno, unmapped(errno))
}

func unmapped(errno unix.Errno) string {
	if errno == unix.EINVAL {
		return " (an id that has no mapping in the user namespace)"
	}
	return ""
}

// readFile returns the first 4 KiB of a file below the directory fd dir, without following magic
// links or crossing mounts.
func readFile(dir int, name string) (string, error) {
	fd, err := linux.Openat2(dir, name, unix.O_RDONLY, 0, inProcfs)
	if err != nil {
		return "", fmt.Errorf("open %q: %w", name, err)
	}
	defer unix.Close(fd)
	var buf [4096]byte
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return "", fmt.Errorf("read %q: %w", name, err)
	}
	return string(buf[:n]), nil
}

// AddRest sets the umask, and no_new_privs if the config asks for it (prctl(2)); that can't be
// taken back.
func (p *Plan) AddRest(l *calls.List) {
	l.Do(unix.SYS_UMASK, uintptr(p.Umask))
	if p.NoNewPrivs {
		l.Do(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1).Or("prctl PR_SET_NO_NEW_PRIVS")
	}
}

// AddUndumpable makes the process one that others of its user may not inspect or trace: one that
// has joined a container but is still the runtime must not be. A successful execve makes it
// dumpable again.
func AddUndumpable(l *calls.List) {
	l.Do(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0).Or("prctl PR_SET_DUMPABLE")
}

// AddName gives the thread a name (comm) of at most 15 bytes, which the next execve takes away.
func AddName(l *calls.List, name string) {
	l.Do(unix.SYS_PRCTL, unix.PR_SET_NAME, l.Text(name)).Or("take the name %q (prctl PR_SET_NAME)", name)
}

// isPermission tells whether err is EACCES or EPERM.
func isPermission(err error) bool { return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) }

// AddDefaultActions has signals get their default action, sigaction(2). SIGKILL and SIGSTOP have no
// other, and refuse.
func AddDefaultActions(l *calls.List, signals ...syscall.Signal) {
	const size = 8     // of the kernel's sigset_t
	none := l.Room(64) // a struct kernel_sigaction with SIG_DFL; no architecture's is larger
	for _, n := range signals {
		l.Do(unix.SYS_RT_SIGACTION, uintptr(n), none, 0, size).Or("reset signal %d to its default action", n)
	}
}
