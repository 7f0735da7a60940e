package calls

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// emulator runs the executables of a test that was built for another architecture than the
// machine's: go test -exec sets both.
var emulator = os.Getenv("BATCH_EMULATOR")

// ran is what a list did: what it wrote to standard output, its report, and how it ended.
type ran struct {
	output   string
	reported bool
	value    uint32
	err      error
	status   syscall.WaitStatus
}

// each runs a test with both executors of a process of its own: an executable, and a raw fork of
// this process. Lists report to descriptor 3.
func each(t *testing.T, test func(t *testing.T, empty func() *List, execute func(*testing.T, *List) ran)) {
	t.Helper()
	t.Run("executable", func(t *testing.T) {
		if code == "" {
			if _, err := New(3).Open(); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("Open: %v", err)
			}
			t.Skipf("there are no instructions for %s", runtime.GOARCH)
		}
		test(t, func() *List { return New(3) }, execute)
	})
	t.Run("fork", func(t *testing.T) {
		if emulator != "" {
			t.Skip("an emulator can't be forked behind Go's back")
		}
		test(t, func() *List { return NewHere(3) }, forkAndRun)
	})
}

// execute runs the list as an executable.
func execute(t *testing.T, l *List) ran {
	t.Helper()
	file, err := l.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	report, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()
	path := fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	cmd := exec.Command(path)
	if emulator != "" {
		image, err := l.image()
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(t.TempDir(), "batch")
		if err := os.WriteFile(path, image, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd = exec.Command(emulator, path)
	}
	var output strings.Builder
	cmd.Stdout, cmd.ExtraFiles = &output, []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	r := ran{}
	r.take(l, report)
	_ = cmd.Wait()
	r.output, r.status = output.String(), cmd.ProcessState.Sys().(syscall.WaitStatus)
	return r
}

// take takes the report, if one comes.
func (r *ran) take(l *List, from *os.File) {
	var b [ReportSize]byte
	if n, _ := io.ReadFull(from, b[:]); n == len(b) {
		r.reported = true
		r.value, r.err = l.Failure(b)
	}
}

func write(l *List, text string) *Call {
	return &Call{Number: unix.SYS_WRITE, Args: [6]uintptr{1, l.Bytes([]byte(text)), uintptr(len(text))}}
}

func leave(status uintptr) *Call {
	return &Call{Number: unix.SYS_EXIT_GROUP, Args: [6]uintptr{status}}
}

func TestCallsAreMadeInOrder(t *testing.T) {
	each(t, func(t *testing.T, empty func() *List, execute func(*testing.T, *List) ran) {
		l := empty()
		l.Add(write(l, "one "))
		l.Add(write(l, "two"))
		l.Add(leave(7))
		r := execute(t, l)
		if r.output != "one two" || r.status.ExitStatus() != 7 || r.reported {
			t.Errorf("%+v, %v", r, r.status)
		}
	})
}

// A result becomes an argument of a later call.
func TestResultGoesIntoACall(t *testing.T) {
	each(t, func(t *testing.T, empty func() *List, execute func(*testing.T, *List) ran) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		l := empty()
		buf := l.Room(16)
		read := &Call{Number: unix.SYS_READ, Args: [6]uintptr{99, buf, 16}}
		out := &Call{Number: unix.SYS_WRITE, Args: [6]uintptr{1, buf, 99}}
		cwd := unix.AT_FDCWD
		l.Add(&Call{Number: unix.SYS_OPENAT, Args: [6]uintptr{uintptr(cwd), l.Text(path), unix.O_RDONLY}, Into: read, IntoArg: 0})
		read.Into, read.IntoArg = out, 2
		l.Add(read)
		l.Add(out)
		l.Add(leave(0))
		if r := execute(t, l); r.output != "content" || r.status != 0 {
			t.Errorf("%+v, %v", r, r.status)
		}
	})
}

func TestUnexpectedErrorIsReported(t *testing.T) {
	each(t, func(t *testing.T, empty func() *List, execute func(*testing.T, *List) ran) {
		l := empty()
		l.Add(write(l, "before"))
		l.Add(&Call{Number: unix.SYS_CLOSE, Args: [6]uintptr{99}, Expect: []unix.Errno{unix.EIO}, Explain: func(errno unix.Errno) error {
			return fmt.Errorf("close 99: %w", errno)
		}})
		l.Add(write(l, "after"))
		r := execute(t, l)
		if r.output != "before" || r.status.ExitStatus() != 1 || !errors.Is(r.err, unix.EBADF) || r.err.Error() != "close 99: bad file descriptor" {
			t.Errorf("%+v, %v", r, r.status)
		}
	})
}

func TestExpectedErrorGoesElsewhere(t *testing.T) {
	each(t, func(t *testing.T, empty func() *List, execute func(*testing.T, *List) ran) {
		for _, expect := range [][]unix.Errno{{unix.EBADF}, {Any}, {unix.EIO, unix.EPERM, unix.EINTR, unix.EACCES, unix.ENOENT, unix.ENOSYS, unix.EINVAL, unix.EBADF}} {
			l := empty()
			last := write(l, "else")
			l.Add(&Call{Number: unix.SYS_CLOSE, Args: [6]uintptr{99}, Expect: expect, Else: last})
			l.Add(write(l, "not here"))
			l.Add(last)
			l.Add(leave(0))
			if r := execute(t, l); r.output != "else" || r.status != 0 || r.reported {
				t.Errorf("%v: %+v, %v", expect, r, r.status)
			}
		}
	})
}

// A fork goes two ways, and a message tells of the child.
func TestForkAndMessage(t *testing.T) {
	each(t, func(t *testing.T, empty func() *List, execute func(*testing.T, *List) ran) {
		l := empty()
		message := l.Message()
		child := write(l, "child")
		flags, stack := linux.Clone(uintptr(unix.SIGCHLD))
		l.Add(&Call{Number: unix.SYS_CLONE, Args: [6]uintptr{flags, stack}, Result: message + 4, Zero: child})
		l.Add(&Call{Number: unix.SYS_WAIT4, Args: [6]uintptr{^uintptr(0)}})
		l.Add(&Call{Number: unix.SYS_WRITE, Args: [6]uintptr{3, message, ReportSize}})
		l.Add(leave(0))
		l.Add(child)
		l.Add(leave(0))
		if r := execute(t, l); r.output != "child" || !r.reported || r.err != nil || r.value == 0 || r.status != 0 {
			t.Errorf("%+v, %v", r, r.status)
		}
	})
}

func TestSetAndEqual(t *testing.T) {
	each(t, func(t *testing.T, empty func() *List, execute func(*testing.T, *List) ran) {
		l := empty()
		word := l.Room(8)
		other := write(l, "differs")
		l.Add(&Call{Number: Set, Args: [6]uintptr{word, 'x'}})
		l.Add(&Call{Number: Equal, Args: [6]uintptr{word, 'x', uintptr(unix.EIO)}})
		l.Add(&Call{Number: Equal, Args: [6]uintptr{word, 'y', uintptr(unix.EAGAIN)}, Expect: []unix.Errno{unix.EAGAIN}, Else: other})
		l.Add(write(l, "equal"))
		l.Add(other)
		l.Add(&Call{Number: Equal, Args: [6]uintptr{word, 'y', uintptr(unix.EIO)}})
		if r := execute(t, l); r.output != "differs" || !errors.Is(r.err, unix.EIO) {
			t.Errorf("%+v, %v", r, r.status)
		}
	})
}

// An execve gets its vectors, and the new program nothing else.
func TestExecve(t *testing.T) {
	each(t, func(t *testing.T, empty func() *List, execute func(*testing.T, *List) ran) {
		if emulator != "" {
			t.Skip("an emulator can't execute a program of the machine")
		}
		shell, err := filepath.EvalSymlinks("/bin/sh")
		if err != nil {
			t.Skip(err)
		}
		l := empty()
		l.Add(&Call{Number: unix.SYS_EXECVE, Args: [6]uintptr{
			l.Text(shell), l.Vector([]string{"sh", "-c", `echo "$A $0 $1"; exit 3`, "zero", "one"}), l.Vector([]string{"A=env"}),
		}})
		if r := execute(t, l); r.output != "env zero one\n" || r.status.ExitStatus() != 3 {
			t.Errorf("%+v, %v", r, r.status)
		}
	})
}

// An executable that runs past its end is ended by the kernel.
func TestNoEnd(t *testing.T) {
	if code == "" {
		t.Skipf("there are no instructions for %s", runtime.GOARCH)
	}
	l := New(3)
	l.Add(write(l, "end"))
	r := execute(t, l)
	if r.output != "end" || r.status == 0 || r.reported {
		t.Errorf("%+v, %v", r, r.status)
	}
}

func TestZeroByteInText(t *testing.T) {
	l := New(3)
	l.Add(&Call{Number: unix.SYS_CHDIR, Args: [6]uintptr{l.Text("a\x00b")}})
	if _, err := l.image(); !errors.Is(err, unix.EINVAL) && !errors.Is(err, ErrUnavailable) {
		t.Errorf("image: %v", err)
	}
}

// What a container could see of the process is the list and nothing of the machine: the executable
// can't be written to.
func TestSealed(t *testing.T) {
	l := New(3)
	l.Add(leave(0))
	file, err := l.Open()
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	writable, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer writable.Close()
	if _, err := writable.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("write to the executable: %v", err)
	}
}

// An error is never a bare errno.
func TestCallWithoutWords(t *testing.T) {
	l := New(3)
	l.Add(&Call{Number: 7777})
	if err := l.explain(0, unix.EIO); !errors.Is(err, unix.EIO) || err.Error() != "system call 7777: input/output error" {
		t.Errorf("got %v", err)
	}
}

// The second half of a list comes when the process has begun the first, refers to its memory, and
// what fails in it is told by the first.
func TestLaterHalf(t *testing.T) {
	if code == "" {
		t.Skipf("there are no instructions for %s", runtime.GOARCH)
	}
	if emulator != "" {
		t.Skip("the test has no second process for an emulator")
	}
	fd, err := unix.MemfdCreate("later", unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "later")
	defer file.Close()
	l := New(3)
	word := l.Room(8)
	l.Add(write(l, "one "))
	l.Do(Set, word, 'x')
	other := l.Later(uintptr(fd), 1<<16)
	other.Do(Equal, word, 'x', uintptr(unix.EIO)).Or("the word of the first half")
	other.Add(write(other, strings.Repeat("two ", 4000)))
	other.Do(unix.SYS_CLOSE, 99).Or("close 99")
	if err := other.Send(file); err != nil {
		t.Fatal(err)
	}
	r := execute(t, l)
	if r.output != "one "+strings.Repeat("two ", 4000) || r.err == nil || r.err.Error() != "close 99: bad file descriptor" {
		t.Errorf("%d bytes, %v, %v", len(r.output), r.err, r.status)
	}
	if err := New(3).Later(0, 1).Send(file); err == nil {
		t.Error("a sealed file took another list")
	}
	small := New(3).Later(0, 1)
	small.Bytes(make([]byte, 1<<16))
	if err := small.Send(file); err == nil || !strings.Contains(err.Error(), "have no room") {
		t.Errorf("a list that is too long: %v", err)
	}
}
