package process

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/linux"
	"oci-run/specconv"
)

// defaultUmask is what a process gets when the config is silent; the spec leaves it open, runc and crun use this one.
const defaultUmask = 0o022

// KeepGroups is the annotation that leaves the process the supplementary groups of the runtime's caller, whatever the config says of
// groups: Podman sets it for --group-add keep-groups, so that files of a user's groups are within reach of his container.
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

// SetUmask sets the umask of the calling process.
func (p *Plan) SetUmask() { unix.Umask(int(p.Umask)) }

// SetUser makes the calling thread the container's user: supplementary groups, gid, uid, in this order since the last takes the
// right to change the others. proc is a directory fd of procfs. Inside a user namespace that denies setgroups(2), as one made
// without privileges does, the inherited groups stay; asking for groups there is an error.
func (p *Plan) SetUser(proc int) error {
	if err := p.setGroups(proc); err != nil {
		return err
	}
	gid := uintptr(p.GID)
	if _, _, errno := unix.RawSyscall(linux.SysSetresgid, gid, gid, gid); errno != 0 {
		return idError("gid", p.GID, errno)
	}
	uid := uintptr(p.UID)
	if _, _, errno := unix.RawSyscall(linux.SysSetresuid, uid, uid, uid); errno != 0 {
		return idError("uid", p.UID, errno)
	}
	return nil
}

func (p *Plan) setGroups(proc int) error {
	if p.KeepGroups {
		return nil
	}
	_, _, errno := unix.RawSyscall(linux.SysSetgroups, uintptr(len(p.Groups)), sliceAddr(p.Groups), 0)
	if errno == 0 {
		return nil
	}
	hint := unmapped(errno)
	if errno == unix.EPERM && p.GroupsDenied && len(p.Groups) == 0 {
		return nil
	}
	if errno == unix.EPERM {
		state, err := readFile(proc, "self/setgroups")
		if denied := err == nil && state == "deny\n"; denied && len(p.Groups) == 0 {
			return nil
		} else if denied {
			hint = " (the user namespace was made without the right to set groups: /proc/self/setgroups says deny)"
		}
	}
	return fmt.Errorf("set groups %v: %w%s", p.Groups, errno, hint)
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

// sliceAddr returns the address of a slice's elements, as an argument of a raw system call in the same expression only.
func sliceAddr[T any](s []T) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

// readFile returns the first 4 KiB of a file below the directory fd dir, without following magic links or crossing mounts.
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

// SetNoNewPrivs sets no_new_privs of the calling thread if the config asks for it (prctl(2)); it can't be taken back.
func (p *Plan) SetNoNewPrivs() error {
	if !p.NoNewPrivs {
		return nil
	}
	return prctl("PR_SET_NO_NEW_PRIVS", unix.PR_SET_NO_NEW_PRIVS, 1)
}

// SetDumpable makes the calling process one that others of its user may inspect or trace, or not: a process that has joined a
// container but is still the runtime must not be. A successful execve makes it dumpable again.
func SetDumpable(on bool) error {
	value := uintptr(0)
	if on {
		value = 1
	}
	return prctl("PR_SET_DUMPABLE", unix.PR_SET_DUMPABLE, value)
}

// SetName gives the calling thread a name (comm) of at most 15 bytes, which the next execve takes away.
func SetName(name string) {
	var b [16]byte
	copy(b[:15], name)
	_, _, _ = unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&b[0])), 0, 0, 0, 0) // only a bad address is an error
}

func prctl(name string, option, value uintptr) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, option, value, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("prctl %s: %w", name, errno)
	}
	return nil
}

// isPermission tells whether err is EACCES or EPERM.
func isPermission(err error) bool { return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) }
