package capabilities

import (
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/batch"
)

// AddBeforeUser adds to a batch what BeforeUser does.
func (p *Plan) AddBeforeUser(l *batch.List, uid uint32, keepSysAdmin bool) {
	p.addDrops(l)
	if uid != 0 {
		l.Do(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1).Or("prctl PR_SET_KEEPCAPS")
	}
}

// addDrops adds what dropBounding does. Who may not drop is not to try what has been dropped before: the process has the bounding
// set of the calling thread.
func (p *Plan) addDrops(l *batch.List) {
	effective, _, err := get()
	may := err == nil && effective&(1<<unix.CAP_SETPCAP) != 0
	for n := range names {
		if p.Bounding&(1<<n) == 0 && (may || bounded(n)) {
			drop := l.Do(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(n)).Or("drop %s from the bounding set", names[n])
			drop.Expect = []unix.Errno{unix.EINVAL} // the kernel doesn't have it
		}
	}
}

// AddAfterUser adds to a batch what AfterUser does. The process that makes the calls must have the capabilities of the calling
// thread, root's, as they are after AddBeforeUser and the change of user.
func (p *Plan) AddAfterUser(l *batch.List, keepSysAdmin bool) (warnings []string, err error) {
	want, err := p.after(keepSysAdmin)
	if err != nil {
		return nil, err
	}
	low := func(set uint64) uint32 { return uint32(set) }
	high := func(set uint64) uint32 { return uint32(set >> 32) }
	head := l.Halves(unix.LINUX_CAPABILITY_VERSION_3, 0)
	data := l.Halves(low(want.Effective), low(want.Permitted), low(want.Inheritable), high(want.Effective), high(want.Permitted), high(want.Inheritable))
	l.Do(unix.SYS_CAPSET, head, data).Or("capset effective %#x, permitted %#x, inheritable %#x", want.Effective, want.Permitted, want.Inheritable)
	l.Do(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 0).Or("prctl PR_SET_KEEPCAPS")
	return p.addAmbient(l), nil
}

// addAmbient adds what raiseAmbient does. The kernel refuses an ambient capability that is planned only where a securebit is set,
// which is inherited.
func (p *Plan) addAmbient(l *batch.List) (warnings []string) {
	l.Do(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL).Or("clear the ambient set")
	if p.Ambient == 0 {
		return nil
	}
	bits, _, _ := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_GET_SECUREBITS, 0, 0, 0, 0, 0)
	for n := range names {
		switch {
		case p.Ambient&(1<<n) == 0:
		case bits&noAmbientRaise != 0:
			warnings = append(warnings, ambientRefused(n, unix.EPERM))
		default:
			l.Do(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(n)).Expect = []unix.Errno{batch.Any}
		}
	}
	return warnings
}

// noAmbientRaise is SECBIT_NO_CAP_AMBIENT_RAISE (include/uapi/linux/securebits.h).
const noAmbientRaise = 1 << 6
