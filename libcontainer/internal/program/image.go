package program

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Image is a program with arguments and environment, ready for execve(2).
type Image struct {
	path *byte
	argv []*byte
	envv []*byte
}

// Prepare makes the C strings for the program at path. All memory that Exec needs is allocated
// here.
func Prepare(path string, argv, envv []string) (*Image, error) {
	image := &Image{}
	var err error
	if image.path, err = syscall.BytePtrFromString(path); err != nil {
		return nil, err
	}
	if image.argv, err = syscall.SlicePtrFromStrings(argv); err != nil {
		return nil, err
	}
	if image.envv, err = syscall.SlicePtrFromStrings(envv); err != nil {
		return nil, err
	}
	return image, nil
}

// Vectors gives the arguments of execve(2), for a caller that makes the system call itself. The
// image has to be kept alive.
func (i *Image) Vectors() (path *byte, argv, envv **byte) { return i.path, &i.argv[0], &i.envv[0] }

// Exec replaces the process by the program and returns only if that fails, with the errno. It makes
// one system call, execve, allocates nothing and is not preempted, so that it can follow a seccomp
// filter that allows nothing else. The calling goroutine must be locked to its thread: the kernel
// makes that thread the program's first and ends all others.
//
//go:nosplit
func (i *Image) Exec() syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE,
		uintptr(unsafe.Pointer(i.path)), uintptr(unsafe.Pointer(&i.argv[0])), uintptr(unsafe.Pointer(&i.envv[0])))
	runtime.KeepAlive(i)
	return errno
}
