package terminal

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// manager listens where NOTIFY_SOCKET points to, and acknowledges barriers.
func manager(t *testing.T) (address string, messages <-chan string) {
	t.Helper()
	address = filepath.Join(t.TempDir(), "manager.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Shutdown(fd, unix.SHUT_RDWR); unix.Close(fd) })
	c := make(chan string, 10)
	go func() {
		for {
			b, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
			n, nr, _, _, err := unix.Recvmsg(fd, b, rights, unix.MSG_CMSG_CLOEXEC)
			if err != nil || n == 0 {
				return
			}
			if list, err := unix.ParseSocketControlMessage(rights[:nr]); err == nil && len(list) == 1 {
				if fds, err := unix.ParseUnixRights(&list[0]); err == nil {
					unix.Close(fds[0])
				}
			}
			c <- string(b[:n])
		}
	}()
	return address, c
}

func (s *session) says(text string) {
	s.t.Helper()
	path := filepath.Join(s.state, s.id, "notify/notify.sock")
	for tries := 0; ; tries++ {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			s.t.Fatal(err)
		}
		err = unix.Sendto(fd, []byte(text), 0, &unix.SockaddrUnix{Name: path})
		unix.Close(fd)
		if err == nil {
			return
		}
		if tries == 100 {
			s.t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func expect(t *testing.T, messages <-chan string, want string) {
	t.Helper()
	select {
	case got := <-messages:
		if got != want {
			t.Errorf("the manager got %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("the manager has not got %q", want)
	}
}

// start waits until the container is ready, and makes its process the service.
func TestStartUnderAServiceManager(t *testing.T) {
	s := newSession(t, false, "sleep", "1000")
	address, messages := manager(t)
	environment := append(os.Environ(), "NOTIFY_SOCKET="+address)
	create := s.command("create", "--bundle", s.bundle, s.id)
	create.Env = environment
	if err := create.Run(); err != nil {
		t.Fatal(err)
	}
	start := s.command("start", s.id)
	start.Env = environment
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	s.says("STATUS=soon\nMAINPID=1")
	select {
	case got := <-messages:
		t.Errorf("the manager got %q", got)
	case <-time.After(200 * time.Millisecond):
	}
	s.says("READY=1")
	var state struct{ PID int }
	if err := json.Unmarshal([]byte(s.do("state", s.id)), &state); err != nil {
		t.Fatal(err)
	}
	expect(t, messages, "MAINPID="+strconv.Itoa(state.PID)+"\nREADY=1\n")
	expect(t, messages, "BARRIER=1")
	exits(t, start, 0)
}

// A container that ends without a word ends the waiting.
func TestStartOfASilentContainer(t *testing.T) {
	s := newSession(t, false, "true")
	address, _ := manager(t)
	cmd := s.command("run", "--detach", "--bundle", s.bundle, s.id)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exits(t, cmd, 0)
}

// In the foreground, oci-run stays the service.
func TestRunUnderAServiceManager(t *testing.T) {
	s := newSession(t, false, "sleep", "1")
	address, messages := manager(t)
	cmd := s.command("run", "--bundle", s.bundle, s.id)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.says("READY=1")
	expect(t, messages, "MAINPID="+strconv.Itoa(cmd.Process.Pid)+"\nREADY=1\n")
	exits(t, cmd, 0)
}

// The manager's sockets come first, then what --preserve-fds names.
func TestSocketActivation(t *testing.T) {
	s := newSession(t, false, "sh", "-c", "env; ls /proc/self/fd; cat <&4")
	s.config(func(spec *specs.Spec) { spec.Process.User = specs.User{} })
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("preserved"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	listener := os.NewFile(uintptr(socket), "listener")
	defer listener.Close()
	// Only the process itself knows its LISTEN_PID.
	cmd := s.command("run", "--preserve-fds", "1", "--bundle", s.bundle, s.id)
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@"`, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	cmd.ExtraFiles = append(cmd.ExtraFiles, listener, r)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"LISTEN_FDS=1\n", "LISTEN_PID=1\n", "LISTEN_FDNAMES=web\n", "\n3\n4\n", "preserved"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}
