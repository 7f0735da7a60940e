package program

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/process"
)

// refuse has a system call of this thread, which must be locked and not be used any more, fail with
// EPERM.
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

// Under an old seccomp filter the process can't find out what it may execute: what somebody may
// execute is taken.
func TestAddLookupWithoutFaccessat2(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"inert/tool": 0o644, "usable/tool": 0o755} {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, filepath.Dir(name)), 0o755), os.WriteFile(filepath.Join(dir, name), nil, mode)); err != nil {
			t.Fatal(err)
		}
	}
	root := openDir(t, "/")
	search := func(args0 string) (string, error) {
		p := &process.Plan{Args: []string{args0}, Path: dir + "/none:" + dir + "/inert:" + dir + "/usable", Cwd: "/"}
		l := calls.NewHere(-1)
		found, err := AddLookup(l, p, root)
		if err == nil {
			err = l.Run()
		}
		if err != nil {
			return "", err
		}
		found.Settle()
		return found.paths[0], nil
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- refuse(unix.SYS_FACCESSAT2)
		path, err := search("tool")
		if path != dir+"/usable/tool" {
			t.Errorf("tool is %q, %v", path, err)
		}
		if path, err := search(dir + "/inert/tool"); !errors.Is(err, unix.EACCES) {
			t.Errorf("a file that nobody may execute: %q, %v", path, err)
		}
		if path, err := search(dir + "/usable/tool"); err != nil {
			t.Errorf("%q, %v", path, err)
		}
		if path, err := search("missing"); !errors.Is(err, errNotFound) {
			t.Errorf("%q, %v", path, err)
		}
		done <- nil
	}()
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
