package spawn

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refusal is the error of what refusing refuses.
var refusal = unix.EIO

// refusing runs f on a thread on which a system call fails with the refusal if its argument number
// arg, from 0, is value, and on which it is inherited by what f clones. It gives up after ten
// seconds: a child that nobody answers waits for ever.
func refusing(t *testing.T, number uint32, arg int, value uint32, f func() error) error {
	t.Helper()
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if err := refuse(number, arg, value); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("it hangs")
		return nil
	}
}

func refuse(number uint32, arg int, value uint32) error {
	const words = 16 // where the arguments begin in struct seccomp_data
	low := uint32(words + 8*arg)
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: number},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: low},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: value},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(refusal)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
}

// Whatever a child can't do or say before its execution, the parent hears of it, and nobody waits.
func TestChildThatIsRefused(t *testing.T) {
	needRoot(t)
	exe := program(t, "true")
	for _, test := range []struct {
		name   string
		number uint32
		arg    int
		value  uint32
		flags  uintptr
		want   string
	}{
		{"the question for mappings", unix.SYS_WRITE, 2, 8, unix.CLONE_NEWUSER, "the cloned child ended early"},
		{"its pid", unix.SYS_WRITE, 2, 8, unix.CLONE_NEWTIME, "the cloned child ended early"},
		{"closing", unix.SYS_CLOSE_RANGE, 2, 0, unix.CLONE_NEWTIME, "close fds from"},
		{"a mark", unix.SYS_FCNTL, 1, unix.F_SETFD, 0, "leave fd "},
		{"signals", unix.SYS_RT_SIGACTION, 0, uint32(unix.SIGTSTP), 0, "reset signal"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := os.Stat("/proc/self/timens_offsets"); err != nil && test.flags == unix.CLONE_NEWTIME {
				t.Skip("this kernel has no time namespaces:", err)
			}
			kept, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			defer kept.Close()
			err = refusing(t, test.number, test.arg, test.value, func() error {
				p, err := Start(&Request{
					Exe: exe, Args: []string{"true"}, Inherit: 3, Pass: []*os.File{kept}, New: test.flags,
					WriteMaps: func(int) error { return nil },
				})
				if err != nil {
					return err
				}
				defer p.Close()
				err = p.Failure()
				p.Wait()
				return err
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// The second fork's child tells as well what it could not do, and has nothing to tell once it has
// executed a program.
func TestSuccessorThatIsRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		value uint32
		want  error
	}{
		{"a call", 0o77, refusal},
		{"none", 0o22, io.EOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := refusing(t, unix.SYS_UMASK, 0, test.value, func() error {
				s, err := NewSuccessor()
				if err != nil {
					return err
				}
				defer s.Channel.Close()
				l := s.List
				l.Do(unix.SYS_UMASK, 0o77).Or("umask")
				l.Do(unix.SYS_EXECVE, l.Text("/bin/true"), l.Vector([]string{"true"}), l.Vector(nil)).Or("execve")
				if err := s.Clone(false); err != nil {
					return err
				}
				_, err = l.Receive(s.Channel)
				_, _ = unix.Wait4(s.PID, nil, 0, nil)
				return err
			})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// A call that the kernel lacks, or a filter refuses, is named with the Linux that has it, and a
// hint fits what was asked for.
func TestExplainedRefusals(t *testing.T) {
	needRoot(t)
	exe := program(t, "true")
	defer func() { refusal = unix.EIO }()
	for _, test := range []struct {
		name     string
		number   uint32
		errno    unix.Errno
		arg      int
		value    uint32
		flags    uintptr
		want     string
		unwanted string
	}{
		{"close_range", unix.SYS_CLOSE_RANGE, unix.ENOSYS, 2, unix.CLOSE_RANGE_CLOEXEC, 0, "close_range: Linux has close_range since 5.9", ""},
		{"execveat", unix.SYS_EXECVEAT, unix.ENOSYS, 4, unix.AT_EMPTY_PATH, 0, "execveat: Linux has execveat since 3.19", ""},
		{"pidfd_open", unix.SYS_PIDFD_OPEN, unix.ENOSYS, 1, 0, 0, "pidfd_open: function not implemented (Linux has pidfd_open since 5.3", ""},
		{"user namespace", unix.SYS_CLONE3, unix.EPERM, 2, 0, unix.CLONE_NEWUSER, "user namespaces are refused under chroot(2)", "or a user namespace"},
		{"others", unix.SYS_CLONE3, unix.EPERM, 2, 0, allNew, "a seccomp filter or a security module refuses it", "or a user namespace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			refusal = test.errno
			err := refusing(t, test.number, test.arg, test.value, func() error {
				p, err := Start(&Request{
					Exe: exe, Args: []string{"true"}, Inherit: 3, New: test.flags, WriteMaps: func(int) error { return nil },
				})
				if err != nil {
					return err
				}
				defer p.Close()
				err = p.Failure()
				p.Wait()
				return err
			})
			if err == nil || !strings.Contains(err.Error(), test.want) || test.unwanted != "" && strings.Contains(err.Error(), test.unwanted) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
