package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/tests/fdleak"
)

// much is what has to get through without a loss.
const much = 100 << 20

// some is for one way alone.
const some = 10 << 20

// pattern is an endless stream of numbers, so that a lost byte shows.
type pattern struct {
	block [32 << 10]byte
	rest  []byte
	next  uint64
}

func (p *pattern) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		for i := 0; i < len(p.block); i += 8 {
			binary.LittleEndian.PutUint64(p.block[i:], p.next*0x9e3779b97f4a7c15)
			p.next++
		}
		p.rest = p.block[:]
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func patternSum(n int64) string {
	h := sha256.New()
	_, _ = io.CopyN(h, &pattern{}, n)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// session is what runs on the terminal in these tests. Descriptor 3 takes its report.
func session(task string) {
	unix.CloseOnExec(3)
	report := os.NewFile(3, "report")
	if task != "line" && task != "lines" {
		rawMode(os.Stdin)
	}
	switch task {
	case "write":
		_, _ = io.CopyN(os.Stdout, &pattern{}, some)
	case "read":
		fmt.Fprint(os.Stdout, "r")
		h := sha256.New()
		n, err := io.CopyN(h, os.Stdin, some)
		fmt.Fprintf(report, "%d %x %v", n, h.Sum(nil), err)
	case "both":
		done := make(chan bool)
		go func() {
			_, _ = io.CopyN(os.Stdout, &pattern{}, much)
			close(done)
		}()
		h := sha256.New()
		_, _ = io.CopyN(h, os.Stdin, much)
		<-done
		fmt.Fprintf(report, "%x", h.Sum(nil))
	case "hangup":
		// As login programs do: nobody has the terminal open for a while.
		fmt.Fprint(os.Stdout, "before ")
		_, _ = os.Stdin.Read(make([]byte, 1)) // the kernel drops what is still on its way
		name, _ := os.Readlink("/proc/self/fd/0")
		catch()
		_, _, _ = syscall.Syscall(syscall.SYS_VHANGUP, 0, 0, 0)
		for fd := range 3 {
			unix.Close(fd)
		}
		time.Sleep(200 * time.Millisecond)
		tty, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			fmt.Fprint(report, err)
			return
		}
		fmt.Fprint(tty, "after")
	case "size":
		signals := catch()
		fmt.Fprint(os.Stdout, "r")
		size, err := &unix.Winsize{}, error(nil)
		for err == nil && size.Row != 31 { // the first signal may be that of the beginning
			<-signals
			size, err = unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
		}
		fmt.Fprintf(report, "%dx%d %v", size.Row, size.Col, err)
	case "line":
		var line string
		fmt.Scanln(&line)
		fmt.Println("got", line)
	case "raw":
		fmt.Fprint(os.Stdout, "r")
		time.Sleep(5 * latest / 10)
		waiting, err := unix.IoctlGetInt(0, unix.TIOCINQ)
		fmt.Fprintf(report, "%d bytes", waiting)
		if err != nil {
			fmt.Fprint(report, err)
		}
	case "lines":
		// Each of two readers in a row finds the end of the input.
		first, err := io.ReadAll(os.Stdin)
		second, err2 := io.ReadAll(os.Stdin)
		fmt.Fprintf(report, "%q %v %q %v", first, err, second, err2)
	case "child":
		// A process that outlives the session leader and keeps the terminal.
		cmd := exec.Command("/bin/sleep", "1000")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		catch()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			fmt.Fprint(report, err)
		}
		fmt.Fprint(report, cmd.Process.Pid)
		fmt.Fprint(os.Stdout, "last words")
	case "endless":
		_, _ = io.Copy(os.Stdout, &pattern{})
		time.Sleep(10 * time.Second) // the signal of a hang-up may come after the error
	}
}

func rawMode(f *os.File) {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		panic(err)
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
		panic(err)
	}
}

// catch keeps a hangup from ending us, and tells of new sizes.
func catch() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Ignore(unix.SIGHUP)
	signal.Notify(signals, unix.SIGWINCH)
	return signals
}

// process is a session on a terminal of its own.
type process struct {
	cmd    *exec.Cmd
	master *os.File
	report *os.File
}

func startSession(t *testing.T, task string) *process {
	t.Helper()
	root, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	c, err := Open(root, &Plan{PlainNewlines: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Peer.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "CONSOLE_TEST_SESSION="+task)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Peer, c.Peer, c.Peer
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{cmd, c.Master, r}
}

// end waits for the process and gives its report.
func (p *process) end(t *testing.T) string {
	t.Helper()
	b, err := io.ReadAll(p.report)
	p.report.Close()
	if err != nil {
		t.Error(err)
	}
	_ = p.cmd.Wait()
	return string(b)
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// relayed is a process whose terminal is relayed to pipes.
type relayed struct {
	*process
	*Relay
	in, out       *os.File // our ends
	stdin, stdout *os.File // the relay's ends
}

func relay(t *testing.T, task string) *relayed {
	t.Helper()
	fdleak.Check(t)
	r := &relayed{process: startSession(t, task)}
	r.stdin, r.in = pipe(t)
	r.out, r.stdout = pipe(t)
	var err error
	if r.Relay, err = NewRelay(r.process.master, r.stdin, r.stdout, r.stdout); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, f := range []*os.File{r.in, r.out, r.stdin, r.stdout} {
			f.Close()
		}
	})
	return r
}

// finish ends the relay in the way of a command whose container has ended.
func (r *relayed) finish(t *testing.T) string {
	t.Helper()
	report := r.end(t)
	r.Finish(nil)
	r.stdout.Close()
	return report
}

// ready waits for the first byte, which comes when the process has set its terminal up,
// and gives all output.
func (r *relayed) ready(t *testing.T) io.Reader {
	t.Helper()
	first := make([]byte, 1)
	if _, err := io.ReadFull(r.out, first); err != nil {
		t.Fatal(err)
	}
	return io.MultiReader(bytes.NewReader(first), r.out)
}

// stalled waits until the output takes no more: its pages need not be full then.
func (r *relayed) stalled(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for last, same := 0, 0; last == 0 || same < 50; time.Sleep(10 * time.Millisecond) {
		n, err := unix.IoctlGetInt(int(r.out.Fd()), unix.TIOCINQ) // FIONREAD
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%d bytes are in the pipe (%v)", n, err)
		}
		if same++; n != last {
			last, same = n, 0
		}
	}
}

func collect(f io.Reader) <-chan string {
	sum := make(chan string, 1)
	go func() {
		h := sha256.New()
		_, _ = io.Copy(h, f)
		sum <- fmt.Sprintf("%x", h.Sum(nil))
	}()
	return sum
}

func TestMuchOutput(t *testing.T) {
	r := relay(t, "write")
	sum := collect(r.out)
	r.finish(t)
	if got := <-sum; got != patternSum(some) {
		t.Errorf("sum %s, want %s", got, patternSum(some))
	}
}

func TestMuchInput(t *testing.T) {
	r := relay(t, "read")
	r.ready(t)
	if _, err := io.CopyN(r.in, &pattern{}, some); err != nil {
		t.Error(err)
	}
	if got, want := r.finish(t), fmt.Sprintf("%d %s <nil>", some, patternSum(some)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMuchBothWays(t *testing.T) {
	r := relay(t, "both")
	sum := collect(r.ready(t))
	if _, err := io.CopyN(r.in, &pattern{}, much); err != nil {
		t.Error(err)
	}
	if got := r.finish(t); got != patternSum(much) {
		t.Errorf("input arrived as %s", got)
	}
	if got := <-sum; got != patternSum(much) {
		t.Errorf("output arrived as %s", got)
	}
}

// A reader that stalls stops the output, and nothing else; what was written still comes
// when it reads on.
func TestReaderStalls(t *testing.T) {
	r := relay(t, "both")
	out := r.ready(t)
	if _, err := io.CopyN(r.in, &pattern{}, much); err != nil {
		t.Error(err)
	}
	sum := collect(out)
	if got := r.finish(t); got != patternSum(much) {
		t.Errorf("input arrived as %s", got)
	}
	if got := <-sum; got != patternSum(much) {
		t.Errorf("output arrived as %s", got)
	}
}

// When the process is gone and the reader never reads on, Finish can be told to go.
func TestAbandon(t *testing.T) {
	r := relay(t, "endless")
	r.stalled(t)
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.end(t)
	abandon, finished := make(chan struct{}), make(chan struct{})
	go func() {
		r.Finish(abandon)
		close(finished)
	}()
	select {
	case <-finished:
		t.Error("finished although nobody read")
	case <-time.After(100 * time.Millisecond):
	}
	close(abandon)
	<-finished
	r.out.Close() // lets the goroutine go
}

// An idle relay costs nothing.
func TestNoBusyLoop(t *testing.T) {
	for _, task := range []string{"line", "endless"} {
		r := relay(t, task)
		if task == "endless" {
			r.stalled(t)
		}
		time.Sleep(200 * time.Millisecond)
		var before, after unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
		time.Sleep(500 * time.Millisecond)
		_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
		if used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()); used > 50*time.Millisecond {
			t.Errorf("%s: %v of CPU time in 500ms", task, used)
		}
		_ = r.cmd.Process.Kill()
		go func() { _, _ = io.Copy(io.Discard, r.out) }()
		r.finish(t)
	}
}

// If stdout is gone, so is the terminal.
func TestStdoutGone(t *testing.T) {
	r := relay(t, "endless")
	r.out.Close()
	r.end(t)
	if s := r.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != unix.SIGHUP {
		t.Errorf("the process ended with %v, want SIGHUP", s)
	}
	r.Finish(nil)
}

func TestHangup(t *testing.T) {
	r := relay(t, "hangup")
	before := make([]byte, len("before "))
	if _, err := io.ReadFull(r.out, before); err != nil {
		t.Fatal(err)
	}
	if _, err := r.in.WriteString("g"); err != nil {
		t.Fatal(err)
	}
	if report := r.finish(t); report != "" {
		t.Error(report)
	}
	out, err := io.ReadAll(r.out)
	if err != nil || string(before)+string(out) != "before after" {
		t.Errorf("got %q and %q, %v", before, out, err)
	}
}

// Processes of the container that have the terminal open still don't hold up the end.
func TestProcessLeftBehind(t *testing.T) {
	r := relay(t, "child")
	pid, err := strconv.Atoi(r.finish(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Kill(pid, unix.SIGKILL)
	out, err := io.ReadAll(r.out)
	if err != nil || string(out) != "last words" {
		t.Errorf("got %q, %v", out, err)
	}
}

// The user's terminal: raw while it lasts, as before afterwards, its size followed.
func TestUsersTerminal(t *testing.T) {
	fdleak.Check(t)
	root, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	user, err := Open(root, &Plan{Rows: 30, Columns: 90})
	root.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	before, err := unix.IoctlGetTermios(int(user.Peer.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	p := startSession(t, "size")
	r, err := NewRelay(p.master, user.Peer, user.Peer, user.Peer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(user.Master, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	during, err := unix.IoctlGetTermios(int(user.Peer.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if during.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 || during.Oflag != before.Oflag {
		t.Errorf("not raw: %+v", during)
	}
	if err := unix.IoctlSetWinsize(int(user.Master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 31, Col: 91}); err != nil {
		t.Fatal(err)
	}
	r.Resize()
	if got := p.end(t); got != "31x91 <nil>" {
		t.Errorf("size %s", got)
	}
	r.Finish(nil)
	after, err := unix.IoctlGetTermios(int(user.Peer.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if *after != *before {
		t.Errorf("not restored: %+v, was %+v", after, before)
	}
}

func TestEchoAndLineEditing(t *testing.T) {
	r := relay(t, "line")
	if _, err := r.in.WriteString("hellp\x7fo\n"); err != nil {
		t.Fatal(err)
	}
	r.finish(t)
	out, err := io.ReadAll(r.out)
	if err != nil || !bytes.HasSuffix(out, []byte("got hello\n")) || strings.Contains(string(out), "\r") {
		t.Errorf("got %q, %v", out, err)
	}
}

// A stdin that ends is the end of a file for each who reads the terminal, also behind a line
// without a newline; a terminal that is raw gets the key once, as long as nobody reads it.
func TestStdinEnds(t *testing.T) {
	for input, want := range map[string]string{
		"":         `"" <nil> "" <nil>`,
		"one\ntwo": `"one\ntwo" <nil> "" <nil>`,
		"one\n":    `"one\n" <nil> "" <nil>`,
	} {
		r := relay(t, "lines")
		go func() { _, _ = io.Copy(io.Discard, r.out) }()
		if _, err := r.in.WriteString(input); err != nil {
			t.Fatal(err)
		}
		r.in.Close()
		if got := r.finish(t); got != want {
			t.Errorf("of %q the program read %s, want %s", input, got, want)
		}
	}
	r := relay(t, "raw")
	r.ready(t)
	r.in.Close()
	if got := r.finish(t); got != "1 bytes" {
		t.Errorf("the raw terminal got %s, not the key alone", got)
	}
}

func TestNewRelayFails(t *testing.T) {
	fdleak.Check(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewRelay(null, os.Stdin, os.Stdin, os.Stdin); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("got %v, want ENOTTY", err)
	}
}
