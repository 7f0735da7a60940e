package process

import (
	"errors"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/batch"
)

// refuse has a system call of this thread, which must be locked and not be used any more, fail with EPERM.
func refuse(number uint32) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
}

// Under an old seccomp filter the process could not find out what it may execute.
func TestAddLookupWithoutFaccessat2(t *testing.T) {
	root := openDir(t, "/")
	p := &Plan{Args: []string{"sh"}, Path: defaultPath, Cwd: "/"}
	if _, err := p.AddLookup(batch.New(3), root); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if err := refuse(unix.SYS_FACCESSAT2); err != nil {
			refused <- err
			return
		}
		_, err := p.AddLookup(batch.New(3), root)
		refused <- err
	}()
	if err := <-refused; !errors.Is(err, batch.ErrUnavailable) {
		t.Errorf("AddLookup: %v", err)
	}
}
