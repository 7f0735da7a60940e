package foreground

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) {
	switch os.Getenv("FOREGROUND_TEST") {
	case "":
		fdleak.Main(m)
	case "command":
		command()
	case "child":
		child()
	case "broken":
		broken()
	}
}

// command stands for `run`: it starts a child in the foreground and exits with its status.
func command() {
	s, err := Catch()
	if err != nil {
		panic(err)
	}
	if os.Getenv("FOREGROUND_EARLY") != "" {
		// A signal that comes before the process is there.
		_ = unix.Kill(os.Getpid(), unix.SIGQUIT)
		time.Sleep(100 * time.Millisecond)
	}
	if err := BecomeSubreaper(); err != nil {
		panic(err)
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Env = append(os.Environ(), "FOREGROUND_TEST=child")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var ready *os.File
	if os.Getenv("FOREGROUND_EARLY") != "" {
		var theirs *os.File
		if ready, theirs, err = os.Pipe(); err != nil {
			panic(err)
		}
		cmd.ExtraFiles = []*os.File{theirs}
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		panic(err)
	}
	if ready != nil {
		_, _ = ready.Read(make([]byte, 1)) // until the child catches signals
	}
	ws, known := s.Wait(cmd.Process.Pid, os.NewFile(uintptr(fd), "pidfd"), nil)
	switch {
	case !known:
		os.Exit(255)
	case ws.Signaled():
		os.Exit(128 + int(ws.Signal()))
	}
	os.Exit(ws.ExitStatus())
}

// broken writes to a stdout that nobody reads, and starts a program for which SIGPIPE has its usual
// effect.
func broken() {
	if _, err := Catch(); err != nil {
		panic(err)
	}
	var err error
	for err == nil {
		_, err = fmt.Println("is anybody there?")
	}
	cmd := exec.Command("/bin/sh", "-c", "kill -PIPE $$")
	_ = cmd.Run()
	if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != unix.SIGPIPE {
		panic(cmd.ProcessState)
	}
	os.Exit(42)
}

// child tells which signals it gets, until SIGTERM.
func child() {
	c := make(chan os.Signal, 100)
	list := []os.Signal{}
	for n := unix.Signal(1); n <= lastSignal; n++ {
		if n != unix.SIGURG {
			list = append(list, n)
		}
	}
	signal.Notify(c, list...)
	if os.Getenv("FOREGROUND_EARLY") != "" {
		_, _ = os.NewFile(3, "ready").WriteString("r")
	}
	fmt.Println("ready")
	for n := range c {
		fmt.Println(int(n.(unix.Signal)))
		if n == unix.SIGTERM {
			os.Exit(42)
		}
	}
}

func start(t *testing.T, env string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), "FOREGROUND_TEST=command", env)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func TestSignalsAreForwarded(t *testing.T) {
	cmd, lines := start(t, "", "/proc/self/exe")
	lines.Scan()
	if lines.Text() != "ready" {
		t.Fatalf("got %q", lines.Text())
	}
	time.Sleep(20 * settled * time.Millisecond)
	for n := unix.Signal(1); n <= lastSignal; n++ {
		switch n {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGTERM, unix.SIGPROF, 32, 33, 34: // Go in the child keeps the last four to itself
			continue
		}
		if signal.Ignored(n) { // by nohup(1), or a shell without job control: then it is not forwarded
			continue
		}
		if err := cmd.Process.Signal(n); err != nil {
			t.Fatal(err)
		}
		switch n {
		case unix.SIGURG, unix.SIGCHLD, unix.SIGPIPE, unix.SIGWINCH:
			continue // the next one shows that it didn't come
		}
		if lines.Scan(); lines.Text() != fmt.Sprint(int(n)) {
			t.Errorf("sent %v, got %q", n, lines.Text())
		}
	}
	_ = cmd.Process.Signal(unix.SIGTERM)
	for lines.Scan() {
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 42 {
		t.Errorf("ended with %v, want 42", err)
	}
}

// realTime is a real-time signal, none of those that emulators keep to themselves.
const realTime = unix.Signal(40)

// A signal that another process sends is caught, also one that a fault raises; a fault of our own
// is still Go's.
func TestFaults(t *testing.T) {
	s, err := Catch()
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	for _, n := range []unix.Signal{unix.SIGSEGV, unix.SIGILL, unix.SIGUSR1, unix.SIGSYS, unix.SIGTERM, realTime} {
		if err := unix.Kill(os.Getpid(), n); err != nil {
			t.Fatal(err)
		}
		if got := s.catcher.next(10_000, make([]byte, 8)); len(got) != 1 || unix.Signal(got[0]) != n {
			t.Errorf("sent %v, got %v", n, got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a fault made no panic")
		}
		if got := s.catcher.next(0, make([]byte, 8)); len(got) != 0 {
			t.Errorf("a fault was taken for signal %v", got)
		}
	}()
	var nowhere *int
	*nowhere = 1
}

// Signals come at any moment, to threads that do anything.
func TestManySignals(t *testing.T) {
	s, err := Catch()
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	const count = 20_000
	done := make(chan struct{})
	for range 4 { // busy threads, with stacks that grow and memory that is collected
		go func() {
			for garbage := [][]byte{}; ; {
				select {
				case <-done:
					return
				default:
					if garbage = append(garbage, make([]byte, 4096)); len(garbage) > 100 {
						garbage = nil
					}
				}
			}
		}()
	}
	go func() {
		for range count {
			_ = unix.Kill(os.Getpid(), realTime) // each counts
		}
	}()
	got := 0
	for got < count {
		numbers := s.catcher.next(10_000, make([]byte, 256))
		if len(numbers) == 0 {
			break
		}
		got += len(numbers)
	}
	close(done)
	if got != count {
		t.Errorf("%d of %d signals came", got, count)
	}
}

func TestBrokenStdout(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "FOREGROUND_TEST=broken")
	var seen strings.Builder
	cmd.Stdout, cmd.Stderr = write, &seen
	_ = cmd.Run()
	if cmd.ProcessState.ExitCode() != 42 {
		t.Errorf("ended with %v: %s", cmd.ProcessState, seen.String())
	}
}

func TestSignalBeforeStart(t *testing.T) {
	cmd, lines := start(t, "FOREGROUND_EARLY=1", "/proc/self/exe")
	lines.Scan()
	lines.Scan()
	if lines.Text() != fmt.Sprint(int(unix.SIGQUIT)) {
		t.Errorf("got %q", lines.Text())
	}
	_ = cmd.Process.Signal(unix.SIGTERM)
	_ = cmd.Wait()
}

func TestExitStatus(t *testing.T) {
	tests := []struct {
		script string
		want   int
	}{
		{"exit 0", 0},
		{"exit 255", 255},
		{"exit 7", 7},
		{"kill -9 $$", 128 + 9},
		{"kill -TERM $$", 128 + 15},
		// An orphan that ends before.
		{"(sh -c 'exit 3' &) ; sleep 0.2; exit 5", 5},
		// Orphans that outlive the process don't hold up anything.
		{"sleep 1000 >/dev/null 2>&1 & echo $!; exit 6", 6},
	}
	for _, tt := range tests {
		cmd, lines := start(t, "", "/bin/sh", "-c", tt.script)
		var out strings.Builder
		for lines.Scan() {
			out.WriteString(lines.Text())
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.script, got, tt.want)
		}
		var pid int
		if _, err := fmt.Sscan(out.String(), &pid); err == nil {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// stalled is a terminal whose output never comes through.
type stalled struct{ finishing chan struct{} }

func (stalled) Resize()   {}
func (stalled) Continue() {}
func (s stalled) Finish(abandon <-chan struct{}) {
	close(s.finishing)
	<-abandon
}

func TestSignalEndsAStalledFinish(t *testing.T) {
	s, err := Catch()
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	cmd := exec.Command("/bin/true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	pidfd := os.NewFile(uintptr(fd), "pidfd")
	defer pidfd.Close()
	terminal := stalled{make(chan struct{})}
	go func() {
		<-terminal.finishing
		_ = unix.Kill(os.Getpid(), unix.SIGTERM)
	}()
	if got, known := s.Wait(cmd.Process.Pid, pidfd, terminal); got != 0 || !known {
		t.Errorf("status %d", got)
	}
	_ = cmd.Process.Release()
}

func BenchmarkCatch(b *testing.B) {
	for b.Loop() {
		s, err := Catch()
		if err != nil {
			b.Fatal(err)
		}
		s.stop()
	}
}
