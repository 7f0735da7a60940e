package state

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPidFD(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := self.PidFD()
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)

	// Of two threads, one at least is not the first of the process.
	thread := make(chan int)
	end := make(chan bool)
	defer close(end)
	for range 2 {
		go func() {
			runtime.LockOSThread()
			thread <- unix.Gettid()
			<-end
		}()
	}
	tid := <-thread
	if other := <-thread; tid == os.Getpid() {
		tid = other
	}

	for name, pid := range map[string]int{"a process group without a leader": leaderlessGroup(t), "a thread": tid, "nothing": 1 << 30, "nobody": 0} {
		if fd, err := (Process{PID: pid}).PidFD(); !errors.Is(err, unix.ESRCH) {
			t.Errorf("%s, pid %d: descriptor %d, %v; want %v", name, pid, fd, err, unix.ESRCH)
		}
	}
}

// leaderlessGroup makes a process group whose leader has ended, for the time of the test.
func leaderlessGroup(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sh", "-c", "cat <&3 & exit")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if err := unix.Kill(-cmd.Process.Pid, 0); err != nil {
		t.Fatalf("no process group %d: %v", cmd.Process.Pid, err)
	}
	return cmd.Process.Pid
}
