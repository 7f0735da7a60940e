package linux

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestNameCall(t *testing.T) {
	for _, err := range []error{nil, unix.ENOENT, unix.EACCES, unix.EINVAL, errors.New("another")} {
		if got := NameCall("fsopen", err); got != err { //nolint:errorlint // it must be the same
			t.Errorf("%v became %v", err, got)
		}
	}
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		err := NameCall("fsopen", errno)
		if !errors.Is(err, errno) || !strings.HasPrefix(err.Error(), "fsopen: "+errno.Error()) {
			t.Error(err)
		}
	}
	if err := NameCall("fsopen", unix.ENOSYS); !strings.Contains(err.Error(), "Linux has fsopen since 5.2, this is ") {
		t.Error(err)
	}
}

func TestOlder(t *testing.T) {
	for release, want := range map[string]bool{
		"5.1.0": true, "4.18.0-553.el8.x86_64": true, "5.2.0": false, "5.10-rc1": false, "6.1": false, "5": true, "six": false, "": false,
	} {
		if older(release, 5, 2) != want {
			t.Errorf("%q is older than 5.2: %t", release, !want)
		}
	}
}

func TestCallsAreSorted(t *testing.T) {
	var names []string
	for _, c := range calls {
		names = append(names, c.name)
	}
	if !slices.IsSorted(names) {
		t.Error(names)
	}
}

// TestWhoRefuses: EPERM of a call is the filter's only if the filter refuses it whatever it is
// asked for.
func TestWhoRefuses(t *testing.T) {
	explained := make(chan [3]error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		before := ExplainCall(unix.SYS_KEYCTL, unix.EPERM, unix.EPERM)
		refuse(t, unix.SYS_KEYCTL, unix.EPERM)
		explained <- [3]error{before, ExplainCall(unix.SYS_KEYCTL, unix.EPERM, unix.EPERM), NameCall("openat2", unix.EPERM)}
	}()
	all := <-explained
	if all[0] != error(unix.EPERM) { //nolint:errorlint // it must be the same
		t.Errorf("without a filter: %v", all[0])
	}
	if all[1].Error() != "operation not permitted (a seccomp filter around the runtime refuses keyctl)" {
		t.Errorf("with one that refuses it: %v", all[1])
	}
	if all[2].Error() != "openat2: operation not permitted" {
		t.Errorf("with one that refuses another: %v", all[2])
	}
}

func refuse(t *testing.T, number uint32, errno unix.Errno) {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
	}
	if err != nil {
		t.Error(err)
	}
}
