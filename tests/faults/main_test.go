package faults

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/tests/isolation"
)

// These tell the test binary to become another program: under the filter or not, with the mounts
// of a namespace, as a user, with system calls that are refused.
const (
	become     = "OCI_RUN_FAULTS_BECOME"
	becomeIn   = "OCI_RUN_FAULTS_BECOME_IN"
	becomeUser = "OCI_RUN_FAULTS_BECOME_USER"
	becomeLess = "OCI_RUN_FAULTS_BECOME_LESS" // the errno, and the numbers of the calls
)

func TestMain(m *testing.M) {
	if filtered := os.Getenv(become); filtered != "" {
		fmt.Fprintf(os.Stderr, "become %q: %v\n", os.Args[1:], execute(filtered == "true", os.Getenv(becomeIn), os.Getenv(becomeUser)))
		os.Exit(99)
	}
	isolation.Main(m)
}

// execute executes the command line, and returns why it can't. All is done to this thread alone,
// which is the process after that.
func execute(filtered bool, namespace, user string) error {
	runtime.LockOSThread()
	env := environment()
	if namespace != "" {
		if err := enter(namespace); err != nil {
			return err
		}
	}
	if less := os.Getenv(becomeLess); less != "" {
		if err := refuse(less); err != nil {
			return err
		}
	}
	if filtered {
		if err := filter(); err != nil {
			return err
		}
	}
	if user != "0" {
		id, err := strconv.Atoi(user)
		if err != nil {
			return err
		}
		if err := turn(uintptr(id)); err != nil {
			return err
		}
	}
	return os.NewSyscallError("execve", unix.Exec(os.Args[1], os.Args[1:], env))
}

func environment() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, become) && !strings.HasPrefix(v, "XDG_RUNTIME_DIR=") {
			env = append(env, v)
		}
	}
	return env
}

// enter enters a mount namespace, which a thread that shares its working directory can't.
func enter(namespace string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	f, err := os.Open(namespace)
	if err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("setns", err)
	}
	return unix.Chdir(dir)
}

// filter has each system call of this thread, and of what comes of it, wait for what the test says.
func filter() error {
	return install(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
}

// refuse has some system calls return an error, as in a sandbox.
func refuse(less string) error {
	var numbers []uint32
	for text := range strings.SplitSeq(less, ",") {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return err
		}
		numbers = append(numbers, uint32(n))
	}
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the number
	for _, n := range numbers[1:] {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: n, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | numbers[0]})
	}
	return install(0, append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})...)
}

func install(flags uintptr, program ...unix.SockFilter) error {
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	return nil
}

// turn turns this thread into a user's.
func turn(id uintptr) error {
	for _, c := range [...][4]uintptr{{unix.SYS_SETGROUPS}, {unix.SYS_SETRESGID, id, id, id}, {unix.SYS_SETRESUID, id, id, id}} {
		if _, _, errno := unix.RawSyscall(c[0], c[1], c[2], c[3]); errno != 0 {
			return fmt.Errorf("system call %d: %w", c[0], errno)
		}
	}
	return nil
}
