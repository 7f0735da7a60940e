package syncpipe

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
)

// startList starts a process that waits for its start as a list, and then can't do what it tries.
// It returns the address of the start channel.
func startList(t *testing.T, refused Refused, try func(l *calls.List) *calls.Call) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "start")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	channel := os.NewFile(uintptr(fd), path)
	defer channel.Close()
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	l := calls.New(-1)
	AddAwaitStart(l, 3)
	AddRefusable(l, refused, try(l), try(l))
	l.Do(unix.SYS_EXIT_GROUP, 0)
	exe, err := l.Open()
	if errors.Is(err, calls.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	cmd := exec.Command(fmt.Sprintf("/proc/self/fd/%d", exe.Fd()))
	cmd.ExtraFiles = []*os.File{channel}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return path
}

func dial(t *testing.T, path string) *Starter {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	return NewStarter(os.NewFile(uintptr(fd), "start"))
}

func noAgent(*os.File) error { return errors.New("a list has no listener") }

// A list waits for another start after one that ended without a word, said something else, or was
// withdrawn.
func TestListAwaitsStart(t *testing.T) {
	path := startList(t, Refused{What: "close it"}, func(*calls.List) *calls.Call {
		return &calls.Call{Number: unix.SYS_CLOSE, Args: [6]uintptr{99}}
	})
	dial(t, path).Close()
	wrong := dial(t, path)
	if err := wrong.send(hooks, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.receive(); !errors.Is(err, ErrClosed) {
		t.Errorf("a word that is none of a start: %v", err)
	}
	wrong.Close()
	withdrawn := dial(t, path)
	if err := errors.Join(withdrawn.Announce(), withdrawn.Withdraw()); err != nil {
		t.Fatal(err)
	}
	if _, err := withdrawn.receive(); !errors.Is(err, ErrClosed) {
		t.Errorf("a withdrawn start: %v", err)
	}
	withdrawn.Close()
	starter := dial(t, path)
	defer starter.Close()
	if err := starter.Announce(); err != nil {
		t.Fatal(err)
	}
	err := starter.Start(noAgent, nil)
	refused, ok := errors.AsType[*Refused](err)
	if !ok || refused.Errno != unix.EBADF || err.Error() != "close it: bad file descriptor" {
		t.Errorf("%v", err)
	}
}

// A start that ends after it was announced ends the process.
func TestListEndsWithItsStart(t *testing.T) {
	path := startList(t, Refused{Path: "/no/such"}, func(l *calls.List) *calls.Call {
		return &calls.Call{Number: unix.SYS_EXECVE, Args: [6]uintptr{l.Text("/no/such")}}
	})
	starter := dial(t, path)
	if err := starter.Announce(); err != nil {
		t.Fatal(err)
	}
	half, err := unix.FcntlInt(starter.f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(half)
	if err := unix.Shutdown(half, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	if _, err := starter.receive(); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	starter.Close()
}
