package sdnotify

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

func TestAddTo(t *testing.T) {
	spec := &specs.Spec{Process: &specs.Process{Env: []string{"A=b"}}}
	AddTo(spec, "/state/id/notify")
	want := &specs.Spec{
		Process: &specs.Process{Env: []string{"A=b", "NOTIFY_SOCKET=/run/notify/notify.sock"}},
		Mounts: []specs.Mount{{
			Destination: "/run/notify", Source: "/state/id/notify", Type: "bind", Options: []string{"bind", "nosuid", "noexec", "nodev", "ro"},
		}},
	}
	if d := cmp.Diff(want, spec); d != "" {
		t.Error(d)
	}
}

func TestActivation(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	tests := []struct {
		name string
		env  map[string]string
		n    int
		want []string
		fail bool
	}{
		{name: "none"},
		{name: "for another", env: map[string]string{"LISTEN_FDS": "2", "LISTEN_PID": "1"}},
		{name: "two", env: map[string]string{"LISTEN_FDS": "2", "LISTEN_PID": self}, n: 2, want: []string{"LISTEN_FDS=2", "LISTEN_PID=1"}},
		{
			name: "names", env: map[string]string{"LISTEN_FDS": "1", "LISTEN_PID": self, "LISTEN_FDNAMES": "web"},
			n: 1, want: []string{"LISTEN_FDS=1", "LISTEN_PID=1", "LISTEN_FDNAMES=web"},
		},
		{name: "zero", env: map[string]string{"LISTEN_FDS": "0", "LISTEN_PID": self}},
		{name: "garbage", env: map[string]string{"LISTEN_FDS": "x", "LISTEN_PID": self}, fail: true},
		{name: "negative", env: map[string]string{"LISTEN_FDS": "-1", "LISTEN_PID": self}, fail: true},
	}
	for _, tt := range tests {
		n, env, err := Activation(func(name string) string { return tt.env[name] })
		if (err != nil) != tt.fail || n != tt.n || !cmp.Equal(env, tt.want) {
			t.Errorf("%s: %d %q %v", tt.name, n, env, err)
		}
	}
}

// manager is a stand-in for systemd's end: it collects messages and acknowledges barriers.
type manager struct {
	fd       int
	address  string
	messages chan string
}

func newManager(t *testing.T, address string) *manager {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	name := address
	if len(address) > 107 {
		name = filepath.Join(t.TempDir(), "s")
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		t.Fatal(err)
	}
	if name != address {
		if err := os.MkdirAll(filepath.Dir(address), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name, address); err != nil {
			t.Fatal(err)
		}
	}
	m := &manager{fd, address, make(chan string, 10)}
	t.Cleanup(func() { _ = unix.Shutdown(fd, unix.SHUT_RDWR); unix.Close(fd) })
	go m.serve()
	return m
}

func (m *manager) serve() {
	defer close(m.messages)
	for {
		b, rights := make([]byte, 1000), make([]byte, unix.CmsgSpace(16))
		n, nr, _, _, err := unix.Recvmsg(m.fd, b, rights, unix.MSG_CMSG_CLOEXEC)
		if err != nil || n == 0 {
			return
		}
		if nr > 0 {
			list, _ := unix.ParseSocketControlMessage(rights[:nr])
			for i := range list {
				fds, _ := unix.ParseUnixRights(&list[i])
				for _, fd := range fds {
					unix.Close(fd)
				}
			}
		}
		m.messages <- string(b[:n])
	}
}

func listen(t *testing.T) (s *Socket, path string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	dir = Dir(dir)
	if err := MakeDir(dir); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, filepath.Join(dir, socketName)
}

// process is one to wait for.
func process(t *testing.T, args ...string) (pidfd *os.File, pid int) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	pidfd = os.NewFile(uintptr(fd), "pidfd")
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		pidfd.Close()
	})
	return pidfd, cmd.Process.Pid
}

func TestForward(t *testing.T) {
	for _, address := range []string{
		filepath.Join(t.TempDir(), "m.sock"),
		filepath.Join(t.TempDir(), strings.Repeat("long/", 30), "m.sock"),
		"@oci-run-test-" + strconv.Itoa(os.Getpid()),
	} {
		m := newManager(t, address)
		s, path := listen(t)
		pidfd, pid := process(t, "/bin/sleep", "1000")
		go func() {
			for _, text := range []string{"STATUS=starting", "MAINPID=1\nFDSTORE=1", "STATUS=done\nREADY=1\nMAINPID=1"} {
				c, err := dial(path)
				if err != nil {
					t.Error(err)
					return
				}
				if err := send(c, text, nil); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		}()
		if err := s.Forward(m.address, pid, pidfd); err != nil {
			t.Fatal(err)
		}
		if got, want := <-m.messages, "MAINPID="+strconv.Itoa(pid)+"\nREADY=1\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := <-m.messages; got != "BARRIER=1" {
			t.Errorf("got %q, want a barrier", got)
		}
	}
}

func TestForwardEndsWithTheProcess(t *testing.T) {
	m := newManager(t, filepath.Join(t.TempDir(), "m.sock"))
	s, _ := listen(t)
	pidfd, pid := process(t, "/bin/sleep", "0.1")
	begin := time.Now()
	if err := s.Forward(m.address, pid, pidfd); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
	select {
	case got := <-m.messages:
		t.Errorf("got %q", got)
	default:
	}
}

func TestForwardWithoutManager(t *testing.T) {
	s, path := listen(t)
	pidfd, pid := process(t, "/bin/sleep", "1000")
	c, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := send(c, "READY=1", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Forward(filepath.Join(t.TempDir(), "none"), pid, pidfd); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestListenWithoutDirectory(t *testing.T) {
	s, err := Listen(filepath.Join(t.TempDir(), "none"))
	if s != nil || err != nil {
		t.Errorf("got %v, %v", s, err)
	}
}

// FuzzReadyLine: of what a container sends, the manager is told one line about READY or nothing.
func FuzzReadyLine(f *testing.F) {
	for _, seed := range []string{"READY=1", "STATUS=x\nREADY=1\nMAINPID=1", "XREADY=1", "\nREADY="} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		line := readyLine(message)
		if bytes.ContainsRune(line, '\n') || line != nil && !bytes.HasPrefix(line, []byte("READY=")) {
			t.Errorf("%q has the line %q", message, line)
		}
		if line == nil && bytes.HasPrefix(message, []byte("READY=")) {
			t.Errorf("%q has no line", message)
		}
	})
}
