package capabilities

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Every call below concerns the calling thread only, which must be locked to its OS thread and be the one that calls execve.

// DropInheritable keeps the program from inheriting capabilities past the plan: in a user namespace without root, init itself could
// only come by its own through the inheritable and ambient sets. What is ambient goes with what is inheritable.
func DropInheritable() error {
	effective, permitted, err := get()
	if err != nil {
		return err
	}
	if err := set(effective, permitted, 0); err != nil {
		return fmt.Errorf("capset inheritable 0: %w", err)
	}
	return nil
}

// BeforeUser makes the first half, while the thread is still root of its user namespace: it drops from the bounding set whatever
// is not planned (that needs CAP_SETPCAP) and, if uid is another user than root, keeps the permitted set over the change of user.
// keepSysAdmin must be the same as in AfterUser.
func (p *Plan) BeforeUser(uid uint32, keepSysAdmin bool) error {
	if err := p.dropBounding(); err != nil {
		return err
	}
	if uid == 0 {
		return nil
	}
	if err := prctl(unix.PR_SET_KEEPCAPS, 1, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_KEEPCAPS: %w", err)
	}
	return nil
}

func (p *Plan) dropBounding() error {
	for n := range names {
		if p.Bounding&(1<<n) != 0 {
			continue
		}
		// What the set or the kernel doesn't have needs no dropping: it is looked at only if that was refused.
		if err := prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0); err != nil && bounded(n) {
			return fmt.Errorf("drop %s from the bounding set: %w", names[n], err)
		}
	}
	return nil
}

// bounded tells whether the calling thread's bounding set has capability n.
func bounded(n int) bool {
	has, _, _ := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0, 0)
	return has == 1
}

// AfterUser makes the second half, when uid, gid and groups are the container's: it sets the permitted, effective and inheritable
// sets and then raises the ambient ones. An ambient capability that the kernel refuses (a locked securebit) is a warning.
//
// With keepSysAdmin, CAP_SYS_ADMIN stays permitted and effective for this thread until execve, because a seccomp filter that is
// loaded as the very last step needs it when no_new_privs is not set. It does not reach the program: by capabilities(7),
// "Transformation of capabilities during execve()", the new permitted set is (inheritable & file inheritable) | (file permitted &
// bounding) | ambient, in which the old permitted and effective sets do not occur. They do occur, as an upper bound, with
// no_new_privs; so keepSysAdmin must not be used together with it, and need not be.
func (p *Plan) AfterUser(keepSysAdmin bool) (warnings []string, err error) {
	want, err := p.after(keepSysAdmin)
	if err != nil {
		return nil, err
	}
	if err := set(want.Effective, want.Permitted, want.Inheritable); err != nil {
		return nil, fmt.Errorf("capset effective %#x, permitted %#x, inheritable %#x: %w",
			want.Effective, want.Permitted, want.Inheritable, err)
	}
	if err := prctl(unix.PR_SET_KEEPCAPS, 0, 0); err != nil {
		return nil, fmt.Errorf("prctl PR_SET_KEEPCAPS: %w", err)
	}
	return p.raiseAmbient()
}

// after returns the sets for the calling thread, or a process that has its permitted set, after the change of user.
func (p *Plan) after(keepSysAdmin bool) (want Plan, err error) {
	want = *p
	if keepSysAdmin {
		_, permitted, err := get()
		if err != nil {
			return want, err
		}
		want.Permitted |= sysAdmin & permitted
		want.Effective |= sysAdmin & permitted
	}
	return want, nil
}

func (p *Plan) raiseAmbient() (warnings []string, err error) {
	if err := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return nil, fmt.Errorf("clear the ambient set: %w", err)
	}
	for n := range names {
		if p.Ambient&(1<<n) == 0 {
			continue
		}
		if err := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(n)); err != nil {
			warnings = append(warnings, ambientRefused(n, err))
		}
	}
	return warnings, nil
}

func ambientRefused(n int, err error) string {
	return fmt.Sprintf("can't raise ambient capability %s: %v", names[n], err)
}

func prctl(option int, a, b uintptr) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, uintptr(option), a, b, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// get reads two of the calling thread's sets (capget(2)).
func get() (effective, permitted uint64, err error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return 0, 0, fmt.Errorf("capget: %w", err)
	}
	join := func(low, high uint32) uint64 { return uint64(low) | uint64(high)<<32 }
	return join(data[0].Effective, data[1].Effective), join(data[0].Permitted, data[1].Permitted), nil
}

// set writes the calling thread's sets (capset(2)).
func set(effective, permitted, inheritable uint64) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(effective), Permitted: uint32(permitted), Inheritable: uint32(inheritable)},
		{Effective: uint32(effective >> 32), Permitted: uint32(permitted >> 32), Inheritable: uint32(inheritable >> 32)},
	}
	return unix.Capset(&head, &data[0])
}
