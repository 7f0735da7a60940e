package calls

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"oci-run/internal/linux"
)

// Goroutines keep off the first thread: /proc/self is about its descriptors.
func init() { runtime.LockOSThread() }

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// forkAndRun runs the list in a raw fork of this process, whose standard output and report are
// pipes.
func forkAndRun(t *testing.T, l *List) ran {
	t.Helper()
	r, err := fork(l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fork(l *List) (ran, error) {
	var pipes [4]int
	if err := errors.Join(unix.Pipe2(pipes[:2], unix.O_CLOEXEC), unix.Pipe2(pipes[2:], unix.O_CLOEXEC)); err != nil {
		return ran{}, err
	}
	before := NewHere(-1)
	before.Do(unix.SYS_DUP3, uintptr(pipes[1]), 1, 0)
	before.Do(unix.SYS_DUP3, uintptr(pipes[3]), 3, 0)
	before.Do(unix.SYS_CLOSE_RANGE, 4, 1<<30, 0)
	if err := errors.Join(before.LayOut(), l.LayOut()); err != nil {
		return ran{}, err
	}
	beforeFork()
	pid, errno := forkRaw(before, l)
	afterFork()
	unix.Close(pipes[1])
	unix.Close(pipes[3])
	output, report := os.NewFile(uintptr(pipes[0]), "output"), os.NewFile(uintptr(pipes[2]), "report")
	defer output.Close()
	defer report.Close()
	if errno != 0 {
		return ran{}, errno
	}
	r := ran{}
	text, err := io.ReadAll(output)
	r.take(l, report)
	_, waited := unix.Wait4(int(pid), (*unix.WaitStatus)(&r.status), 0, nil)
	r.output = string(text)
	runtime.KeepAlive(before)
	return r, errors.Join(err, waited)
}

//go:nosplit
//go:noinline
//go:norace
func forkRaw(before, l *List) (uintptr, syscall.Errno) {
	first, second := linux.Clone(uintptr(unix.SIGCHLD))
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, first, second, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	afterForkInChild()
	before.walk()
	l.RunInChild()
	return 0, 0
}

// onThread runs the list on a thread that has descriptors of its own and ends afterwards.
func onThread(l *List) (r ran, err error) {
	done := make(chan error)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return r, err
	}
	go func() {
		runtime.LockOSThread() // for good: it has other descriptors than the rest
		err := unix.Unshare(unix.CLONE_FILES)
		if err == nil {
			err = unix.Dup3(pipe[1], 1, 0)
		}
		if err == nil {
			r.err = l.Run()
		}
		unix.Close(1)
		unix.Close(pipe[1])
		done <- err
	}()
	err = <-done
	unix.Close(pipe[1])
	output := os.NewFile(uintptr(pipe[0]), "output")
	defer output.Close()
	text, readErr := io.ReadAll(output)
	r.output = string(text)
	return r, errors.Join(err, readErr)
}

func TestRunOnThisThread(t *testing.T) {
	l := NewHere(-1)
	l.Add(write(l, "one "))
	l.Add(&Call{Number: unix.SYS_CLOSE, Args: [6]uintptr{99}, Expect: []unix.Errno{unix.EBADF}})
	l.Add(write(l, "two"))
	if r, err := onThread(l); err != nil || r.err != nil || r.output != "one two" {
		t.Errorf("%+v, %v", r, err)
	}
	l = NewHere(-1)
	l.Do(unix.SYS_CLOSE, 99).Or("close %d", 99)
	l.Add(write(l, "not here"))
	r, err := onThread(l)
	if err != nil || r.output != "" || !errors.Is(r.err, unix.EBADF) || r.err.Error() != "close 99: bad file descriptor" {
		t.Errorf("%+v, %v", r, err)
	}
	if err := NewHere(-1).Run(); err != nil {
		t.Errorf("a list without calls: %v", err)
	}
}

// Data of any size has its place, and keeps it.
func TestDataOfAnySize(t *testing.T) {
	l := NewHere(-1)
	var wrote strings.Builder
	for i := range 40 {
		text := strings.Repeat(string(rune('a'+i%26)), i*i+1)
		wrote.WriteString(text)
		l.Add(write(l, text))
	}
	at, value := l.Word()
	l.Do(Set, at, 77)
	if r, err := onThread(l); err != nil || r.err != nil || r.output != wrote.String() || binary.LittleEndian.Uint64(value[:]) != 77 {
		t.Errorf("%d bytes, %v, %v; the word is %v", len(r.output), r.err, err, *value)
	}
	if err := NewHere(-1).Run(); err != nil {
		t.Errorf("no calls: %v", err)
	}
}

// A list that is used again does nothing of what it did before.
func TestReset(t *testing.T) {
	l := NewHere(-1)
	for round := range 30 {
		l.Reset()
		text := strings.Repeat(fmt.Sprint(round, " "), 1+round*round*3)
		at, value := l.Word()
		l.Add(write(l, text))
		for range round {
			l.Do(Equal, at, 0)
		}
		l.Do(Set, at, uintptr(round))
		if r, err := onThread(l); err != nil || r.err != nil || r.output != text || binary.LittleEndian.Uint64(value[:]) != uint64(round) {
			t.Fatalf("round %d: %d bytes, %v, %v; the word is %v", round, len(r.output), r.err, err, *value)
		}
	}
	l.Reset()
	l.Do(unix.SYS_CHDIR, l.Text("a\x00b"))
	if err := l.Run(); err == nil {
		t.Error("a zero byte is not an error")
	}
	l.Reset()
	l.Add(write(l, "once"))
	if r, err := onThread(l); err != nil || r.output != "once" {
		t.Errorf("%+v, %v", r, err)
	}
	l.Reset()
	if r, err := onThread(l); err != nil || r.err != nil || r.output != "" {
		t.Errorf("an empty list: %+v, %v", r, err)
	}
}

// A list that is used again takes nothing more from the heap as long as it isn't longer. Another
// one has other memory.
func TestListOfManyUses(t *testing.T) {
	l, other := NewHere(-1), NewHere(-1)
	texts, set := []string{"program", "argument"}, []byte("a set")
	allocated := testing.AllocsPerRun(20, func() {
		l.Reset()
		const size = 256
		buf := l.Room(size)
		l.Do(unix.SYS_GETCWD, buf, size)
		l.Do(Equal, buf, '/', uintptr(unix.EXDEV))
		for range 10 {
			l.Do(Set, l.Room(8), 1)
		}
		l.Do(Equal, l.Text("text"), 't')
		l.Do(Equal, l.Bytes(set), 'a')
		l.Words(1, 2)
		l.Halves(3, 4)
		l.Vector(texts)
		if err := l.Run(); err != nil {
			t.Error(err)
		}
	})
	if allocated != 0 {
		t.Errorf("%.1f allocations", allocated)
	}
	l.Reset()
	l.Do(Equal, other.Text("x"), 'x')
	l.Add(write(l, "of the first"))
	if r, err := onThread(l); err != nil || r.err != nil || r.output != "of the first" {
		t.Errorf("%+v, %v", r, err)
	}
}

// A list that is longer than its first memory gets more.
func TestMoreThanOnePiece(t *testing.T) {
	l := NewHere(-1)
	for range 3 {
		l.Reset()
		var wrote strings.Builder
		for i := range 200 {
			text := fmt.Sprintf("%0200d ", i)
			wrote.WriteString(text)
			l.Do(unix.SYS_WRITE, 1, l.Text(text), uintptr(len(text)))
		}
		if r, err := onThread(l); err != nil || r.err != nil || r.output != wrote.String() {
			t.Errorf("%d bytes, %+v, %v", len(r.output), r.err, err)
		}
	}
}

// A word that another process writes is waited for. (Only an executable can fork a process that
// borrows its memory: it has no stack.)
func TestAwaitInAnExecutable(t *testing.T) {
	if code == "" || emulator != "" {
		t.Skipf("no instructions for %s, or a borrowed memory that the emulator doesn't know", runtime.GOARCH)
	}
	l := New(3)
	word := l.Room(8)
	child := l.Place()
	l.Do(unix.SYS_CLONE, uintptr(unix.CLONE_VM|unix.CLONE_VFORK|unix.SIGCHLD)).Zero = child
	l.Do(Await, word, 7)
	l.Add(write(l, "seen"))
	l.Add(leave(0))
	l.Add(child)
	l.Do(Set, word, 7)
	l.Add(leave(0))
	if r := execute(t, l); r.output != "seen" || r.status != 0 {
		t.Errorf("%+v, %v", r, r.status)
	}
}

// A word in memory that is shared is waited for.
func TestAwaitInAChild(t *testing.T) {
	if emulator != "" {
		t.Skip("an emulator can't be forked behind Go's back")
	}
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	go func() {
		time.Sleep(20 * time.Millisecond)
		atomic.StoreUint32((*uint32)(unsafe.Pointer(&page[0])), 7)
	}()
	l := NewHere(3)
	l.Do(Await, uintptr(unsafe.Pointer(&page[0])), 7)
	l.Add(write(l, "seen"))
	if r := forkAndRun(t, l); r.output != "seen" || r.status != 0 || atomic.LoadUint32((*uint32)(unsafe.Pointer(&page[0]))) != 7 {
		t.Errorf("%+v, %v", r, r.status)
	}
}

// program is a list as a test draws it: each step is an instruction that both may go on after and
// can fail.
type instruction struct {
	kind, a, b int
	expect     bool
	jump       int
}

// build makes the list of a drawn program. What it does shows in what it writes: the number of each
// step, and at its end some of the words that it has worked with.
func build(l *List, program []instruction, exits bool) {
	words := l.Words(0, 1, 2, 3)
	at := func(n int) uintptr { return words + uintptr(8*(n%4)) }
	marks := make([]*Call, len(program)+1)
	for i := range program {
		marks[i] = write(l, fmt.Sprintf("%d ", i))
	}
	here := unix.AT_FDCWD
	marks[len(program)] = &Call{Number: unix.SYS_WRITE, Args: [6]uintptr{1, words, 32}}
	for i, in := range program {
		l.Add(marks[i])
		var c *Call
		switch in.kind {
		case 0:
			c = l.Do(Set, at(in.a), uintptr(in.b))
		case 1:
			c = l.Do(Copy, at(in.a), at(in.b))
		case 2:
			c = l.Do(Equal, at(in.a), uintptr(in.b), uintptr(unix.EDOM))
		case 3:
			c = l.Do(unix.SYS_CLOSE, uintptr(1000+in.a))
		case 4:
			c = l.Do(unix.SYS_FACCESSAT, uintptr(here), l.Text("/nowhere"), 0)
		case 5: // a result that is not zero, into a word and into the argument of what follows
			c = l.Do(Load, at(in.a))
			c.Into, c.IntoArg = marks[len(program)], 2 // how much of the words is shown
		case 6:
			c = l.Do(unix.SYS_WRITE, 1, l.Bytes([]byte("abc")), uintptr(in.a%4))
			c.Result = at(in.b)
		}
		c.Or("step %d", i)
		forward := marks[min(i+1+in.jump, len(program))]
		if in.expect {
			c.Expect, c.Else = []unix.Errno{unix.EBADF, unix.ENOENT, unix.EDOM}, forward
		}
		if in.a%3 == 0 {
			c.Zero = forward
		}
	}
	l.Add(marks[len(program)])
	if exits {
		l.Add(leave(0))
	}
}

// Every list does the same whoever makes its calls.
func TestExecutorsAreEqual(t *testing.T) {
	if emulator != "" {
		t.Skip("an emulator can't be forked behind Go's back")
	}
	rapid.Check(t, func(rt *rapid.T) {
		program := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) instruction {
			return instruction{
				kind: rapid.IntRange(0, 6).Draw(rt, "kind"), a: rapid.IntRange(0, 9).Draw(rt, "a"), b: rapid.IntRange(0, 5).Draw(rt, "b"),
				expect: rapid.IntRange(0, 3).Draw(rt, "expect") > 0, jump: rapid.IntRange(0, 3).Draw(rt, "jump"),
			}
		}), 1, 20).Draw(rt, "program")
		forked := NewHere(3)
		build(forked, program, true)
		want, err := fork(forked)
		if err != nil {
			rt.Fatal(err)
		}
		threaded := NewHere(-1)
		build(threaded, program, false)
		got, err := onThread(threaded)
		if err != nil || got.output != want.output || fmt.Sprint(got.err) != fmt.Sprint(want.err) {
			rt.Fatalf("on a thread %+v, %v; in a fork %+v", got, err, want)
		}
		if code == "" {
			return
		}
		image := New(3)
		build(image, program, true)
		if got := execute(t, image); got.output != want.output || got.status != want.status || fmt.Sprint(got.err) != fmt.Sprint(want.err) {
			rt.Fatalf("as an executable %+v, in a fork %+v", got, want)
		}
	})
}

// The layout is the one that the instructions read.
func TestLayout(t *testing.T) {
	l := New(3)
	word := l.Room(8)
	second := &Call{Number: unix.SYS_GETPID}
	c := l.Add(&Call{Number: 77, Args: [6]uintptr{1, 2, 3, 4, 5, 6}, Result: word, Zero: second, Expect: []unix.Errno{unix.EIO, Any}, Else: second})
	l.Add(second)
	b := make([]byte, 2*callSize)
	if err := l.encodeCalls(b); err != nil {
		t.Fatal(err)
	}
	next, expected := uint64(l.at(second)), binary.NativeEndian.Uint64([]byte{byte(unix.EIO), 0xff, 0, 0, 0, 0, 0, 0})
	want := [2 * callSize / 8]uint64{77, 1, 2, 3, 4, 5, 6, uint64(word), expected, next, next, next, unix.SYS_GETPID}
	for i, w := range want {
		if got := binary.NativeEndian.Uint64(b[8*i:]); got != w {
			t.Errorf("word %d is %#x, not %#x", i, got, w)
		}
	}
	if l.at(c) != l.callsBase() || l.at(second) != l.at(c)+callSize {
		t.Errorf("calls at %#x, %#x and %#x", l.callsBase(), l.at(c), l.at(second))
	}
}
