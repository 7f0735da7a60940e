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

// TestEndedIsHidden: what the kernel hides of an end is not taken for success.
func TestEndedIsHidden(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	for status, script := range map[syscall.WaitStatus]string{0: "exit 0", 3 << 8: "exit 3"} {
		cmd := exec.Command("/bin/sh", "-c", script)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p, err := Identify(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); alive(t, p); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("it has not ended")
			}
		}
		if got, ok := p.Ended(); got != status || !ok {
			t.Errorf("%s: to us it ended with %#x, %v", script, got, ok)
		}
		done := make(chan bool)
		go func() {
			defer close(done)
			runtime.LockOSThread() // for good: the thread ends with the goroutine
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
				t.Errorf("setresuid: %v", errno)
			}
			if got, ok := p.Ended(); ok {
				t.Errorf("%s: to another user it ended with %#x", script, got)
			}
		}()
		<-done
		_ = cmd.Wait()
	}
}
