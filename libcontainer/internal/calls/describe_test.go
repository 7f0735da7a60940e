package calls

import (
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	names := map[uintptr]string{syscall.SYS_OPENAT: "openat", syscall.SYS_FCHDIR: "fchdir", syscall.SYS_CLOSE: "close", syscall.SYS_SETSID: "setsid"}
	l := New(3)
	open := l.Do(syscall.SYS_OPENAT, ^uintptr(99), l.Text("/data"), 0x80000).Or("open %q", "/data")
	open.Expect = []syscall.Errno{syscall.ENOENT, Any}
	open.Result = l.Room(8)
	open.Into = l.Do(syscall.SYS_FCHDIR)
	l.Do(Set, l.Room(8), 1) // asks the kernel for nothing
	l.Add(l.Place())
	l.On(open.Result, syscall.SYS_CLOSE).Explain = func(syscall.Errno) error { return syscall.EBADF } // of no errno that it is told
	l.Do(syscall.SYS_CLOSE, 0)
	l.Do(syscall.SYS_CLOSE, 3)
	l.Do(syscall.SYS_SETSID, 3)
	l.Do(syscall.SYS_SETSID, l.Bytes([]byte{1, 2}), 5, 0)
	want := []Line{
		{Call: `openat(-100, "/data", 0x80000)`, Purpose: `open "/data"`, Tolerates: []string{"no such file or directory", "any error"}},
		{Call: "fchdir(result of 1)"},
		{Call: "close(result of 1)"},
		{Call: "close(0)"},
		{Call: "close(channel)"},
		{Call: "setsid(3)"}, // which is no descriptor there
		{Call: "setsid(…, 5)"},
	}
	if d := cmp.Diff(want, Describe(func(number uintptr) string { return names[number] }, map[uintptr]string{3: "channel"}, l)); d != "" {
		t.Error(d)
	}
}
