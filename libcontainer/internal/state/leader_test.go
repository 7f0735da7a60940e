package state

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const leaderlessEnv = "OCI_RUN_TEST_LEADERLESS"

// A package's init function runs on the process's first thread.
func init() {
	if os.Getenv(leaderlessEnv) == "" {
		return
	}
	runtime.LockOSThread()
	running := make(chan bool)
	go func() {
		runtime.LockOSThread()
		running <- true
		_ = unix.Nanosleep(&unix.Timespec{Sec: 100}, nil)
	}()
	<-running
	syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
}

// TestLeaderless: a process whose first thread has ended shows as a zombie while others run.
func TestLeaderless(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{leaderlessEnv + "=1"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); status(t, p.PID) != "Z"; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the first thread has not ended")
		}
	}
	if _, ended := p.Ended(); !alive(t, p) || ended {
		t.Errorf("alive %v, ended %v; want true, false", alive(t, p), ended)
	}
	_ = cmd.Process.Kill()
	for deadline := time.Now().Add(30 * time.Second); alive(t, p); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("alive after SIGKILL")
		}
	}
	if _, ended := p.Ended(); !ended {
		t.Error("not ended after SIGKILL")
	}
	_ = cmd.Wait()
}

func alive(t *testing.T, p Process) bool {
	t.Helper()
	alive, err := p.Alive()
	if err != nil {
		t.Error(err)
	}
	return alive
}

func status(t *testing.T, pid int) string {
	t.Helper()
	fields, err := statFields(pid)
	if err != nil {
		t.Fatal(err)
	}
	return string(fields[0])
}
