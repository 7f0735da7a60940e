package thread

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/tests/fdleak"
	"oci-run/tests/isolation"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// A thread is neither the process's first nor any other's, keeps what it changed, and takes it
// along when it ends.
func TestSpare(t *testing.T) {
	s := New()
	var tid int
	s.Do(func() {
		tid = unix.Gettid()
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			t.Error(err)
		}
		unix.Umask(0o123)
	})
	for range 100 {
		s.Do(func() {
			if now := unix.Gettid(); now != tid || now == unix.Getpid() {
				t.Errorf("thread %d, before %d, the process is %d", now, tid, unix.Getpid())
			}
			if mask := unix.Umask(0o123); mask != 0o123 {
				t.Errorf("umask %#o", mask)
			}
		})
	}
	if mask := unix.Umask(0o22); mask == 0o123 {
		t.Error("the umask of the thread is everybody's")
	} else {
		unix.Umask(mask)
	}
	s.End()
	for deadline := time.Now().Add(5 * time.Second); unix.Tgkill(unix.Getpid(), tid, 0) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the thread is still there")
		}
	}
}

// The scheduler may give the process's first thread to the goroutine that is to have a thread.
func TestNotTheFirst(t *testing.T) {
	s := &Spare{work: make(chan func(), 1), begun: make(chan struct{})}
	defer s.End()
	isolation.OnFirstThread(s.run)
	tid := 0
	s.Do(func() { tid = unix.Gettid() })
	if tid == 0 || tid == unix.Getpid() {
		t.Errorf("the work was done by thread %d of process %d", tid, unix.Getpid())
	}
}

// Work is done in the order in which it was given.
func TestOrder(t *testing.T) {
	s := New()
	defer s.End()
	var order []int
	for i := range 10 {
		s.Go(func() { order = append(order, i) })
	}
	s.Do(func() {})
	for i := range order {
		if order[i] != i {
			t.Fatal(order)
		}
	}
	if len(order) != 10 {
		t.Fatal(order)
	}
}
