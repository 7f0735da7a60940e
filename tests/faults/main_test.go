package faults

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/tests/isolation"
)

// underFilter tells the test binary to put itself under the filter and become another program.
const underFilter = "OCI_RUN_FAULTS_BECOME"

func TestMain(m *testing.M) {
	if os.Getenv(underFilter) != "" {
		become()
	}
	isolation.Main(m)
}

// become has each system call of this thread, and of what comes of it, wait for what the test says,
// and executes the command line.
func become() {
	runtime.LockOSThread()
	filter := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF}}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	var env []string
	for _, v := range os.Environ() {
		if len(v) < len(underFilter) || v[:len(underFilter)] != underFilter {
			env = append(env, v)
		}
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
	err := error(errno)
	if errno == 0 {
		err = unix.Exec(os.Args[1], os.Args[1:], env)
	}
	fmt.Fprintf(os.Stderr, "become %q: %v\n", os.Args[1:], err)
	os.Exit(99)
}
