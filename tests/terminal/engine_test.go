package terminal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ordinary is the user that sessions are handed to. Nobody has to know him.
const ordinary = 4242

// giveToUser makes the session an ordinary user's.
func (s *session) giveToUser(args ...string) {
	s.t.Helper()
	dir := filepath.Dir(s.bundle)
	program, err := os.ReadFile(s.binary)
	if err != nil {
		s.t.Fatal(err)
	}
	// The user may not be able to read the directory that the tree is in.
	s.binary = filepath.Join(dir, "oci-run")
	s.state = filepath.Join(dir, "user-state")
	for _, err := range []error{
		os.Chmod(filepath.Dir(dir), 0o755), os.WriteFile(s.binary, program, 0o755), os.Remove(filepath.Join(s.bundle, "config.json")),
		exec.Command("chown", "-hR", strconv.Itoa(ordinary)+":"+strconv.Itoa(ordinary), dir).Run(),
	} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.credential = &syscall.Credential{Uid: ordinary, Gid: ordinary}
	s.do("spec", "--rootless", "--bundle", s.bundle)
	s.rewrite("config.json", "config.json", func(config map[string]any) {
		process := config["process"].(map[string]any)
		process["terminal"], process["args"] = false, args
	})
}

// rewrite reads a file of the bundle as JSON, and writes it as another after a change.
func (s *session) rewrite(from, to string, change func(map[string]any)) string {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.bundle, from))
	if err != nil {
		s.t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(raw, &value); err != nil {
		s.t.Fatal(err)
	}
	change(value)
	if raw, err = json.Marshal(value); err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(s.bundle, to)
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// process writes a process.json: the container's process, with another program.
func (s *session) process(name string, terminal bool, args ...string) string {
	s.t.Helper()
	return s.rewrite("config.json", name, func(config map[string]any) {
		process := config["process"].(map[string]any)
		process["args"], process["terminal"] = args, terminal
		clear(config)
		maps.Copy(config, process)
	})
}

// becomeSubreaper makes the test what engines are: the new parent of what the runtime leaves.
func becomeSubreaper(t *testing.T) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
}

// dieWithCaller runs a command as engines do: it is killed when the thread that started it ends, as
// that does now.
func dieWithCaller(t *testing.T, cmd *exec.Cmd) error {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	result, thread := make(chan error), make(chan int, 1)
	var call func()
	call = func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			go call() // but for the process's first
			return
		}
		thread <- unix.Gettid()
		result <- cmd.Run()
	}
	go call()
	err := <-result
	task := fmt.Sprintf("/proc/self/task/%d", <-thread)
	for range 500 {
		if _, err := os.Stat(task); err != nil {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	return err
}

// quietly is dieWithCaller for a command that has to succeed, and to say nothing.
func (s *session) quietly(args ...string) {
	s.t.Helper()
	var out bytes.Buffer // behind a pipe, of which nobody may keep an end
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := dieWithCaller(s.t, cmd); err != nil || out.Len() > 0 {
		s.t.Fatalf("%v: %v: %q", args, err, out.String())
	}
}

// pidIn converts the whole of a pid file, as engines do.
func pidIn(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// place is where a process is: its cgroups and namespaces.
func place(t *testing.T, pid int) string {
	t.Helper()
	cgroup, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString(string(cgroup))
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"} {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(link + "\n")
	}
	return text.String()
}

// descriptors lists what a process has open, in the order of the numbers.
func descriptors(t *testing.T, pid int) []string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	numbers := make([]int, len(entries))
	for i, entry := range entries {
		numbers[i], _ = strconv.Atoi(entry.Name())
	}
	slices.Sort(numbers)
	links := make([]string, len(numbers))
	for i, fd := range numbers {
		if links[i], err = os.Readlink(filepath.Join(dir, strconv.Itoa(fd))); err != nil {
			t.Fatal(err)
		}
	}
	return links
}

// pipes are the streams of a container, from an engine's side and from the container's.
type pipes struct {
	stdin          *os.File
	stdout, stderr *os.File
	theirs         [3]*os.File
	names          []string
}

func newPipes(t *testing.T) *pipes {
	t.Helper()
	p := &pipes{}
	for i, ours := range []**os.File{&p.stdin, &p.stdout, &p.stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		*ours, p.theirs[i] = r, w
		if i == 0 {
			*ours, p.theirs[i] = w, r
		}
		link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", p.theirs[i].Fd()))
		if err != nil {
			t.Fatal(err)
		}
		p.names = append(p.names, link)
		t.Cleanup(func() { (*ours).Close() })
	}
	return p
}

func (p *pipes) closeTheirs() {
	for _, f := range p.theirs {
		f.Close()
	}
}

// The whole of what containerd's shim, conmon and Buildah rely on where there is no terminal: the
// pid in the file is that of a child of theirs, which is where it will be; its streams are theirs
// and nobody else's; it doesn't die with its creator.
func TestUnderAnEngine(t *testing.T) {
	becomeSubreaper(t)
	program := []string{"sh", "-c", "cat; echo error >&2; exit 42"}
	t.Run("root", func(t *testing.T) { underAnEngine(newSession(t, false, program...)) })
	t.Run("user", func(t *testing.T) {
		s := newSession(t, false, program...)
		s.giveToUser(program...)
		underAnEngine(s)
	})
}

func underAnEngine(s *session) {
	t := s.t
	pidFile := filepath.Join(s.bundle, "pid")
	streams := newPipes(t)
	create := s.command("create", "--bundle", s.bundle, "--pid-file", pidFile, s.id)
	create.Stdin, create.Stdout, create.Stderr = streams.theirs[0], streams.theirs[1], streams.theirs[2]
	if err := dieWithCaller(t, create); err != nil {
		_ = streams.stderr.SetReadDeadline(time.Now().Add(time.Second))
		text, _ := io.ReadAll(streams.stderr)
		t.Fatalf("create: %v: %s", err, text)
	}
	streams.closeTheirs()
	pid := pidIn(t, pidFile)
	if parent := parentOf(t, pid); parent != os.Getpid() {
		t.Errorf("the parent of the container's process is %d, not %d", parent, os.Getpid())
	}
	if got := descriptors(t, pid)[:3]; strings.Join(got, " ") != strings.Join(streams.names, " ") {
		t.Errorf("the container's streams are %v, not %v", got, streams.names)
	}
	before := place(t, pid)
	s.quietly("start", s.id)
	if after := place(t, pid); after != before {
		t.Errorf("create returned too early: the process was in\n%snow it is in\n%s", before, after)
	}
	if got := descriptors(t, pid); strings.Join(got, " ") != strings.Join(streams.names, " ") {
		t.Errorf("the container has open %v, not only %v", got, streams.names)
	}
	detachedExecs(s)

	if _, err := streams.stdin.WriteString("through the pipe"); err != nil {
		t.Fatal(err)
	}
	streams.stdin.Close()
	for _, stream := range []struct {
		from *os.File
		want string
	}{{streams.stdout, "through the pipe"}, {streams.stderr, "error\n"}} {
		_ = stream.from.SetReadDeadline(time.Now().Add(20 * time.Second))
		if got, err := io.ReadAll(stream.from); err != nil || string(got) != stream.want {
			t.Errorf("read %q, %v; want %q and the end", got, err, stream.want)
		}
	}
	ended(s, pid, 42)
	s.quietly("delete", s.id)
}

// ended waits for the container's process. While that is a zombie, which its engine has not looked
// at yet, the container has stopped already.
func ended(s *session, pid, want int) {
	s.t.Helper()
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		s.t.Fatal(err)
	}
	var state struct {
		Status string
		PID    int
	}
	if err := json.Unmarshal([]byte(s.do("state", s.id)), &state); err != nil || state.Status != "stopped" || state.PID != 0 {
		s.t.Errorf("the state is %+v, %v", state, err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != want {
		s.t.Errorf("wait4 of the container's process: %#x, %v; want exit status %d", uint32(status), err, want)
	}
}

// detachedExecs runs commands whose end the engine waits for.
func detachedExecs(s *session) {
	s.t.Helper()
	pidFile := filepath.Join(s.bundle, "exec-pid")
	for _, e := range []struct {
		script string
		want   unix.WaitStatus
	}{{"sleep 0.1; exit 5", 5 << 8}, {"sleep 0.1; kill -9 $$", unix.WaitStatus(unix.SIGKILL)}} {
		s.quietly("exec", "--process", s.process("process.json", false, "sh", "-c", e.script), "--detach", "--pid-file", pidFile, s.id)
		var status unix.WaitStatus
		if _, err := unix.Wait4(pidIn(s.t, pidFile), &status, 0, nil); err != nil || status != e.want {
			s.t.Errorf("%q: %#x, %v; want %#x", e.script, uint32(status), err, uint32(e.want))
		}
	}
	cmd := s.command("exec", "--process", s.process("process.json", false, "nosuchcmd"), "--detach", "--pid-file", pidFile+"-2", s.id)
	if err := dieWithCaller(s.t, cmd); cmd.ProcessState.ExitCode() != 255 {
		s.t.Errorf("exec of what isn't there: %v", err)
	}
	if _, err := os.Stat(pidFile + "-2"); err == nil {
		s.t.Error("a pid file tells of an exec that failed")
	}
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	parent, err := strconv.Atoi(strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))[1])
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

// line is one of ../integration/contract/commands.tsv, which explains its columns.
type line struct {
	exit          int
	after, output string
	words         []string
}

func linesOf(t *testing.T, life string, fill *strings.Replacer) []line {
	t.Helper()
	table, err := os.Open("../integration/contract/commands.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	var all []line
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		if fields[0] != life || len(fields) != 6 {
			continue
		}
		exit, err := strconv.Atoi(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line{exit, fields[3], fields[4], strings.Fields(fill.Replace(fields[5]))})
	}
	if len(all) == 0 {
		t.Fatalf("no commands of %q", life)
	}
	return all
}

// The commands with a terminal that engines give. The pty's master comes as go-runc and conmon take
// it, which is tried with a long path of the socket too; CRI-O's exec uses its own terminal.
func TestTerminalsOfEngines(t *testing.T) {
	becomeSubreaper(t)
	s := newSession(t, true, "sleep", "1000")
	sockets := [2]*consoleSocket{newConsoleSocket(t, false), newConsoleSocket(t, true)}
	for i, path := range []string{sockets[0].path, sockets[1].path} {
		fill := strings.NewReplacer("@ROOT@", s.state, "@LOG@", filepath.Join(s.bundle, "log"), "@BUNDLE@", s.bundle, "@ID@", s.id,
			"@PIDFILE@", filepath.Join(s.bundle, "pid"), "@CONSOLE@", path, "@PROCESS@", s.process("process.json", true, "sleep", "1000"),
			"@COMMAND@", s.process("command.json", true, "sh", "-c", "stty size; read -r x; echo \"hello $x\"; exit 7"))
		for _, l := range linesOf(t, "terminal", fill) {
			replay(s, l, sockets[i])
		}
	}
}

func replay(s *session, l line, socket *consoleSocket) {
	s.t.Helper()
	cmd := exec.Command(s.binary, l.words...)
	if want, ok := strings.CutPrefix(l.output, "has "); ok {
		u := newUser(s.t)
		u.at(cmd)
		u.sees("33 99\r\n")
		u.types("you\r")
		u.sees(want + " you")
		exits(s.t, cmd, l.exit)
		u.findsTerminalAsBefore()
		return
	}
	out, err := cmd.CombinedOutput() // the container has its terminal, and nothing of ours
	if got := cmd.ProcessState.ExitCode(); got != l.exit || len(out) > 0 {
		s.t.Fatalf("%v: exit status %d, want %d: %v: %s", l.words, got, l.exit, err, out)
	}
	if strings.Contains(strings.Join(l.words, " "), "--console-socket") {
		socket.receive(s.t)
		pid := pidIn(s.t, filepath.Join(s.bundle, "pid"))
		if slices.Contains(l.words, "exec") { // it is ours to reap, and the container does not end before that
			_ = unix.Kill(pid, unix.SIGKILL)
			if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
				s.t.Errorf("wait4 %d: %v", pid, err)
			}
		}
	}
	state, err := s.command("state", s.id).Output()
	if (err != nil) != (l.after == "absent") || err == nil && !bytes.Contains(state, []byte(`"status": "`+l.after+`"`)) {
		s.t.Errorf("after %v: %v: %s", l.words, err, state)
	}
}

// consoleSocket listens as engines do.
type consoleSocket struct {
	fd   int
	path string
}

func newConsoleSocket(t *testing.T, long bool) *consoleSocket {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	dir := t.TempDir()
	if long {
		dir = filepath.Join(dir, strings.Repeat("long/", 40))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	directory, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/s", directory.Fd())}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 8); err != nil {
		t.Fatal(err)
	}
	return &consoleSocket{fd, filepath.Join(dir, "s")}
}

// receive takes the message that has come by now, with the checks that engines make.
func (c *consoleSocket) receive(t *testing.T) {
	t.Helper()
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, 0); n != 1 {
		t.Fatalf("nobody has connected to the console socket: %v", err)
	}
	conn, _, err := unix.Accept4(c.fd, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(conn)
	name, rights := make([]byte, 4096), make([]byte, 4096)
	n, nr, flags, _, err := unix.Recvmsg(conn, name, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n < 1 || n >= 4096 || flags&(unix.MSG_CTRUNC|unix.MSG_TRUNC) != 0 {
		t.Fatalf("a message of %d bytes, flags %#x, %v", n, flags, err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:nr])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d control messages, %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("descriptors %v, %v", fds, err)
	}
	t.Cleanup(func() { unix.Close(fds[0]) }) // not before the container ends: that would hang up
	if _, err := unix.IoctlGetInt(fds[0], unix.TIOCGPTN); err != nil {
		t.Errorf("%q is not the master of a pty: %v", name[:n], err)
	}
	if n, err := unix.Read(conn, name); n != 0 || err != nil {
		t.Errorf("more came: %d bytes, %v", n, err)
	}
}
