// Package terminal tests the built binary with real terminals and sockets, as a user and an
// engine have them.
package terminal

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// session is a bundle and a state directory.
type session struct {
	t      *testing.T
	binary string
	bundle string
	state  string
	id     string
	// Whose session it is, if not ours.
	credential *syscall.Credential
}

func newSession(t *testing.T, terminal bool, args ...string) *session {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: euid is", os.Geteuid())
	}
	binary, err := filepath.Abs("../../bin/oci-run")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("not built:", err)
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	s := &session{t, binary, filepath.Join(dir, "bundle"), filepath.Join(dir, "state"), "terminal-" + strconv.FormatInt(time.Now().UnixNano(), 36), nil}
	for _, name := range []string{"bin", "dev", "proc", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(s.bundle, "rootfs", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.bundle, "rootfs/bin/busybox"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, applet := range []string{"sh", "cat", "stty", "tty", "sleep", "echo", "true", "head", "md5sum", "stat", "kill", "env", "ls"} {
		if err := os.Symlink("busybox", filepath.Join(s.bundle, "rootfs/bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	s.do("spec", "--bundle", s.bundle)
	s.config(func(spec *specs.Spec) {
		spec.Process.Terminal, spec.Process.Args = terminal, args
		spec.Linux.CgroupsPath = "/oci-run-tests-" + s.id
	})
	t.Cleanup(func() {
		_ = s.command("delete", "--force", s.id).Run()
	})
	return s
}

func (s *session) config(edit func(*specs.Spec)) {
	s.t.Helper()
	path := filepath.Join(s.bundle, "config.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		s.t.Fatal(err)
	}
	edit(&spec)
	if raw, err = json.Marshal(&spec); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.binary, append([]string{"--root", s.state}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	return cmd
}

// do runs a command that has to succeed. Its output goes to a file, because a container
// keeps it open.
func (s *session) do(args ...string) string {
	s.t.Helper()
	out, err := os.Create(filepath.Join(s.t.TempDir(), "out"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	text, _ := os.ReadFile(out.Name())
	if err != nil {
		s.t.Fatalf("%v: %v: %s", args, err, text)
	}
	return string(text)
}

// user is somebody at a terminal.
type user struct {
	Master, Peer *os.File
	t            *testing.T
	before       unix.Termios
}

func newUser(t *testing.T) *user {
	t.Helper()
	master, peer := openPTY(t)
	modes, err := unix.IoctlGetTermios(int(peer.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return &user{master, peer, t, *modes}
}

// at starts a command on the terminal.
func (u *user) at(cmd *exec.Cmd) {
	u.t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = u.Peer, u.Peer, u.Peer
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
}

// sees waits for a text on the screen.
func (u *user) sees(text string) string {
	u.t.Helper()
	var all []byte
	_ = u.Master.SetReadDeadline(time.Now().Add(20 * time.Second))
	for !bytes.Contains(all, []byte(text)) {
		b := make([]byte, 4096)
		n, err := u.Master.Read(b)
		all = append(all, b[:n]...)
		if err != nil {
			u.t.Fatalf("saw %q, not %q: %v", all, text, err)
		}
	}
	return string(all)
}

func (u *user) types(text string) {
	u.t.Helper()
	if _, err := u.Master.WriteString(text); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) findsTerminalAsBefore() {
	u.t.Helper()
	modes, err := unix.IoctlGetTermios(int(u.Peer.Fd()), unix.TCGETS)
	if err != nil {
		u.t.Fatal(err)
	}
	if *modes != u.before {
		u.t.Errorf("the terminal is left with %+v; it was %+v", *modes, u.before)
	}
}

func md5Of(block []byte, size int) string {
	h := md5.New()
	for range size / len(block) {
		h.Write(block)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func exits(t *testing.T, cmd *exec.Cmd, want int) {
	t.Helper()
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("exit status %d, want %d", got, want)
	}
}

func TestRunInForeground(t *testing.T) {
	s := newSession(t, true, "sh", "-c", "echo size $(stty size); read -r line; echo got $line; exit 7")
	u := newUser(t)
	cmd := s.command("run", "--bundle", s.bundle, s.id)
	u.at(cmd)
	u.sees("size 33 99\r\n")
	u.types("hello\r") // the container's terminal makes a line of it
	u.sees("got hello\r\n")
	exits(t, cmd, 7)
	u.findsTerminalAsBefore()
}

func TestInterruptGoesToTheContainer(t *testing.T) {
	s := newSession(t, true, "sh", "-c", "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.1; done")
	u := newUser(t)
	cmd := s.command("run", "--bundle", s.bundle, s.id)
	u.at(cmd)
	u.sees("ready")
	u.types("\x03")
	u.sees("interrupted")
	exits(t, cmd, 9)
	u.findsTerminalAsBefore()
}

func TestSizeIsFollowed(t *testing.T) {
	s := newSession(t, true, "sh", "-c", "trap 'echo now $(stty size); exit 0' WINCH; echo ready; while :; do sleep 0.1; done")
	u := newUser(t)
	cmd := s.command("run", "--bundle", s.bundle, s.id)
	u.at(cmd)
	u.sees("ready")
	if err := unix.IoctlSetWinsize(int(u.Master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 44, Col: 88}); err != nil {
		t.Fatal(err)
	}
	u.sees("now 44 88")
	exits(t, cmd, 0)
}

func TestTerminalIsRestored(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		action func(s *session, cmd *exec.Cmd)
		want   int
	}{
		{"killed container", []string{"sh", "-c", "echo ready; sleep 1000"}, func(s *session, _ *exec.Cmd) { s.do("kill", s.id, "KILL") }, 137},
		{"terminated command", []string{"sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"}, func(_ *session, cmd *exec.Cmd) {
			_ = cmd.Process.Signal(unix.SIGTERM)
		}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSession(t, true, tt.args...)
			u := newUser(t)
			cmd := s.command("run", "--bundle", s.bundle, s.id)
			u.at(cmd)
			u.sees("ready")
			tt.action(s, cmd)
			exits(t, cmd, tt.want)
			u.findsTerminalAsBefore()
		})
	}
	t.Run("failed exec", func(t *testing.T) {
		s := newSession(t, false, "sleep", "1000")
		s.do("run", "--detach", "--bundle", s.bundle, s.id)
		if err := os.WriteFile(filepath.Join(s.bundle, "rootfs/script"), []byte("#!/no/such\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		u := newUser(t)
		cmd := s.command("exec", "--tty", s.id, "/script")
		u.at(cmd)
		u.sees("no such file or directory")
		exits(t, cmd, 255)
		u.findsTerminalAsBefore()
	})
}

func TestExecInForeground(t *testing.T) {
	s := newSession(t, false, "sleep", "1000")
	s.do("run", "--detach", "--bundle", s.bundle, s.id)
	u := newUser(t)
	cmd := s.command("exec", "--tty", "--user", "1000:1000", s.id, "sh", "-c", `tty; stat -c %u:%a $(tty); stty size; read -r x; echo "got $x"; exit 5`)
	u.at(cmd)
	u.sees("/dev/pts/0\r\n1000:620\r\n33 99\r\n")
	u.types("typed\r")
	u.sees("got typed")
	exits(t, cmd, 5)
	u.findsTerminalAsBefore()
}

// Stdin that is not a terminal: much goes in and out, the reader is slow, nothing is lost.
func TestMuchThroughExec(t *testing.T) {
	const size = 8 << 20
	s := newSession(t, false, "sleep", "1000")
	s.do("run", "--detach", "--bundle", s.bundle, s.id)
	cmd := s.command("exec", "--tty", s.id, "sh", "-c", fmt.Sprintf("stty raw -echo; echo ready; head -c %d | md5sum; head -c %d /bin/busybox | head -c %d", size, size, size))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, 6)
	if _, err := io.ReadFull(out, ready); err != nil || string(ready) != "ready\n" {
		t.Fatalf("%q, %v", ready, err)
	}
	block := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	for range size / len(block) {
		if _, err := in.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	got, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	exits(t, cmd, 0)
	sum, rest, _ := bytes.Cut(got, []byte("\n"))
	if want := md5Of(block, size); !strings.HasPrefix(string(sum), want) {
		t.Errorf("input arrived as %s, want %s", sum, want)
	}
	program, err := os.ReadFile(filepath.Join(s.bundle, "rootfs/bin/busybox"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(rest, program[:min(len(program), size)]) {
		t.Errorf("%d bytes arrived of %d", len(rest), len(program))
	}
}

func TestStdinAtItsEnd(t *testing.T) {
	s := newSession(t, true, "sh", "-c", "tty >/dev/null && echo fine")
	cmd := s.command("run", "--bundle", s.bundle, s.id) // stdin is /dev/null, stdout a pipe
	out, err := cmd.Output()
	if err != nil || string(out) != "fine\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// Whatever a program makes of the end of its input, run ends: a line editor ignores the key in a
// line that isn't empty. A program that reads nothing isn't disturbed.
func TestEndOfInput(t *testing.T) {
	for _, test := range []struct {
		name, input string
		args        []string
		want        string // in the output
		hungUp      bool
	}{
		{"a command", "echo $((6*7))\n", []string{"sh"}, "42", false},
		{"half a command", "echo half", []string{"sh"}, "half", true},
		{"half a line", "half", []string{"cat"}, "half", false},
		{"a reader of keys", "", []string{"sh", "-c", `trap "echo ends; exit 3" HUP; stty raw; while :; do cat >/dev/null || exit 4; done`}, "", true},
		{"no reader", "", []string{"sh", "-c", "stty raw; sleep 9; echo awake"}, "awake", false},
		{"no key", "", []string{"sh", "-c", "stty eof undef; cat; cat; stty -a | grep eof"}, "eof = <undef>", false},
		{"a line, and no key", "half", []string{"sh", "-c", "stty eof undef intr ^D; cat; echo ends"}, "halfends", false},
		{"no key and no reader", "", []string{"sh", "-c", "stty eof undef; sleep 9; echo awake"}, "awake", false},
		{"a reader of keys without one", "", []string{"sh", "-c", "stty raw eof undef; while :; do cat >/dev/null || exit 4; done"}, "", true},
		{"many readers", "", []string{"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do cat; done; echo done"}, "done", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, true, test.args...)
			cmd := s.command("run", "--bundle", s.bundle, s.id)
			cmd.Stdin = strings.NewReader(test.input)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			slow := time.AfterFunc(time.Minute, func() { s.do("kill", s.id, "KILL") })
			out, _ := cmd.Output()
			if !slow.Stop() {
				t.Error("it did not end")
			}
			if !strings.Contains(string(out), test.want) {
				t.Errorf("%q lacks %q", out, test.want)
			}
			if got := strings.Contains(stderr.String(), "it was hung up"); got != test.hungUp {
				t.Errorf("hung up: %t, want %t; stderr %q", got, test.hungUp, stderr.String())
			}
		})
	}
}

// engine listens where --console-socket and --pidfd-socket connect to.
func engine(t *testing.T, long bool) (path string, receive func() *os.File) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	path = filepath.Join(t.TempDir(), "s")
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	if long {
		dir := filepath.Join(filepath.Dir(path), strings.Repeat("long/", 40))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path, filepath.Join(dir, "s")); err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(dir, "s")
	}
	return path, func() *os.File {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		socket := os.NewFile(uintptr(conn), "socket")
		defer socket.Close()
		f, err := receiveFD(socket)
		if err != nil {
			t.Fatal(err)
		}
		// That was all.
		if n, err := socket.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("more came: %d bytes, %v", n, err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
}

func TestConsoleSocket(t *testing.T) {
	for _, long := range []bool{false, true} {
		s := newSession(t, true, "sh", "-c", "stty size; ls -l /dev/console >/dev/null && echo hello >/dev/console; sleep 1000")
		s.config(func(spec *specs.Spec) { spec.Process.ConsoleSize = &specs.Box{Height: 12, Width: 34} })
		path, receive := engine(t, long)
		s.do("create", "--bundle", s.bundle, "--console-socket", path, s.id)
		master := receive()
		if !strings.HasPrefix(master.Name(), "/dev/pts/") {
			t.Errorf("name %q", master.Name())
		}
		s.do("start", s.id)
		u := &user{Master: master, t: t}
		if got := u.reads("hello\r\n"); got != "12 34\r\nhello\r\n" { // newlines are as ptys make them
			t.Errorf("got %q", got)
		}
	}
}

// reads is sees for a master that is a blocking file.
func (u *user) reads(until string) string {
	u.t.Helper()
	var all []byte
	for !bytes.HasSuffix(all, []byte(until)) {
		b := make([]byte, 4096)
		n, err := u.Master.Read(b)
		all = append(all, b[:n]...)
		if err != nil {
			u.t.Fatalf("%q: %v", all, err)
		}
	}
	return string(all)
}

func TestExecConsoleAndPidfdSocket(t *testing.T) {
	s := newSession(t, false, "sleep", "1000")
	s.do("run", "--detach", "--bundle", s.bundle, s.id)
	consolePath, receiveConsole := engine(t, true)
	pidfdPath, receivePidfd := engine(t, false)
	pidFile := filepath.Join(t.TempDir(), "pid")
	s.do("exec", "--detach", "--tty", "--console-socket", consolePath, "--pidfd-socket", pidfdPath, "--pid-file", pidFile, s.id,
		"sh", "-c", "echo hello; sleep 1000")
	u := &user{Master: receiveConsole(), t: t}
	u.reads("hello\r\n")
	pidfd := receivePidfd()
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for tries := 0; unix.Kill(pid, 0) == nil && state(pid) != "Z"; tries++ {
		if tries == 100 {
			t.Fatal("the process of the pid file lives on")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func state(pid int) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))[0]
}

func TestConsoleSocketMismatch(t *testing.T) {
	path, _ := engine(t, false)
	s := newSession(t, true, "true")
	if out, err := s.command("create", "--bundle", s.bundle, s.id).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("--console-socket")) {
		t.Errorf("a terminal without a socket: %s, %v", out, err)
	}
	s.config(func(spec *specs.Spec) { spec.Process.Terminal = false })
	if out, err := s.command("create", "--bundle", s.bundle, "--console-socket", path, s.id).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("--console-socket")) {
		t.Errorf("a socket without a terminal: %s, %v", out, err)
	}
}

// On a terminal an error is its text; through a pipe it stays what engines parse.
func TestErrorOnATerminal(t *testing.T) {
	s := newSession(t, false, "no such program")
	u := newUser(t)
	cmd := s.command("run", "--bundle", s.bundle, s.id)
	u.at(cmd)
	u.sees(`oci-run: config.json: /process/args/0: exec: "no such program": executable file not found in $PATH`)
	exits(t, cmd, 1)
	out, _ := s.command("run", "--bundle", s.bundle, s.id).CombinedOutput()
	if !regexp.MustCompile(`^time="[^"]*" level=error msg="config.json: /process/args/0: exec: \\"no such program\\": `).Match(out) {
		t.Errorf("through a pipe: %s", out)
	}
}
