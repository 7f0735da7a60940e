package capabilities

import (
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
)

// What follows adds calls to a list, for a process or thread that has the capabilities and the
// securebits of the thread that makes the list: init's own, or a child of root's.

// AddDropInheritable keeps the program from inheriting capabilities past the plan: in a user
// namespace without root, init itself could only come by its own through the inheritable and
// ambient sets. What is ambient goes with what is inheritable.
func AddDropInheritable(l *calls.List) error {
	effective, permitted, err := get()
	if err != nil {
		return err
	}
	addSet(l, effective, permitted, 0)
	return nil
}

// AddBeforeUser adds the first half, which comes while the process is still root of its user
// namespace: it drops from the bounding set whatever is not planned (that needs CAP_SETPCAP) and,
// if uid is another user than root, keeps the permitted set over the change of user.
func (p *Plan) AddBeforeUser(l *calls.List, uid uint32) {
	// Who may not drop is not to try what has been dropped before.
	effective, _, err := get()
	may := err == nil && effective&(1<<unix.CAP_SETPCAP) != 0
	for n := range names {
		if p.Bounding&(1<<n) == 0 && (may || bounded(n)) {
			drop := l.Do(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(n)).Or("drop %s from the bounding set", names[n])
			drop.Expect = []unix.Errno{unix.EINVAL} // the kernel doesn't have it
		}
	}
	if uid != 0 {
		l.Do(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1).Or("prctl PR_SET_KEEPCAPS")
	}
}

// bounded tells whether the calling thread's bounding set has capability n.
func bounded(n int) bool {
	has, _, _ := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0, 0)
	return has == 1
}

// AddAfterUser adds the second half, which comes when uid, gid and groups are the container's: it
// sets the permitted, effective and inheritable sets and then raises the ambient ones. An ambient
// capability that the kernel refuses (a locked securebit) is a warning.
//
// With keepSysAdmin, CAP_SYS_ADMIN stays permitted and effective for this thread until execve,
// because a seccomp filter that is loaded as the very last step needs it when no_new_privs is not
// set. It does not reach the program: by capabilities(7), "Transformation of capabilities during
// execve()", the new permitted set is (inheritable & file inheritable) | (file permitted &
// bounding) | ambient, in which the old permitted and effective sets do not occur. They do occur,
// as an upper bound, with no_new_privs; so keepSysAdmin must not be used together with it, and need
// not be.
func (p *Plan) AddAfterUser(l *calls.List, keepSysAdmin bool) (warnings []string, err error) {
	effective, permitted := p.Effective, p.Permitted
	if keepSysAdmin {
		_, now, err := get()
		if err != nil {
			return nil, err
		}
		effective, permitted = effective|sysAdmin&now, permitted|sysAdmin&now
	}
	addSet(l, effective, permitted, p.Inheritable)
	l.Do(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 0).Or("prctl PR_SET_KEEPCAPS")
	return p.addAmbient(l), nil
}

// addSet adds the setting of the process's sets (capset(2)).
func addSet(l *calls.List, effective, permitted, inheritable uint64) {
	low := func(set uint64) uint32 { return uint32(set) }
	high := func(set uint64) uint32 { return uint32(set >> 32) }
	head := l.Halves(unix.LINUX_CAPABILITY_VERSION_3, 0)
	data := l.Halves(low(effective), low(permitted), low(inheritable), high(effective), high(permitted), high(inheritable))
	l.Do(unix.SYS_CAPSET, head, data).Or("capset effective %#x, permitted %#x, inheritable %#x", effective, permitted, inheritable)
}

// addAmbient adds the raising of the ambient set. The kernel refuses an ambient capability that is
// planned only where a securebit is set.
func (p *Plan) addAmbient(l *calls.List) (warnings []string) {
	l.Do(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL).Or("clear the ambient set")
	if p.Ambient == 0 {
		return nil
	}
	bits, _, _ := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_GET_SECUREBITS, 0, 0, 0, 0, 0)
	for n := range names {
		switch {
		case p.Ambient&(1<<n) == 0:
		case bits&noAmbientRaise != 0:
			warnings = append(warnings, fmt.Sprintf("can't raise ambient capability %s: %v", names[n], unix.EPERM))
		default:
			l.Do(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(n)).Expect = []unix.Errno{calls.Any}
		}
	}
	return warnings
}

// noAmbientRaise is SECBIT_NO_CAP_AMBIENT_RAISE (include/uapi/linux/securebits.h).
const noAmbientRaise = 1 << 6

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
