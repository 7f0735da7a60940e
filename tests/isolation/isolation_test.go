package isolation

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// childEnv makes this test binary report what it has inherited, after it has isolated itself if the
// value says so.
const childEnv = "OCI_RUN_TEST_ISOLATION"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		Main(m)
	case "first thread":
		fmt.Println(syscall.Gettid() == syscall.Getpid())
	case "report":
		fromCaller()
		// What a program finds that a test starts.
		out, err := exec.Command("/bin/sh", "-c", `umask; grep SigIgn /proc/self/status; echo "$LANG,$NOTIFY_SOCKET"; echo "${HOME:+home}${TMPDIR:+ temporary}"`).CombinedOutput()
		if err != nil {
			fmt.Println(err)
		}
		os.Stdout.Write(out)
	}
}

// TestFromCaller: a caller with signals ignored as by nohup(1) and by a shell without job control,
// a umask and an environment.
func TestFromCaller(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `umask 077; trap "" HUP INT QUIT TSTP TTIN TTOU; exec "$0"`, self)
	cmd.Env = []string{childEnv + "=report", "LANG=de_DE.UTF-8", "NOTIFY_SOCKET=/run/notify", "TMPDIR=/" + strings.Repeat("x", 100), "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if want := "0022\nSigIgn:\t0000000000000000\n,\nhome\n"; err != nil || string(out) != want {
		t.Errorf("%v, got:\n%s\nwant:\n%s", err, out, want)
	}
}

// TestMain of a package may play init, which is on the process's first thread.
func TestMainIsOnTheFirstThread(t *testing.T) {
	for range 20 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{childEnv + "=first thread"}
		if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "true" {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

func TestFirstThreadIsNobodyElses(t *testing.T) {
	done := make(chan bool)
	for range 50 {
		go func() {
			runtime.LockOSThread() // and never unlocked: the next one gets another thread
			done <- syscall.Gettid() == syscall.Getpid()
		}()
	}
	for range 50 {
		if <-done {
			t.Error("a test's goroutine has the first thread")
		}
	}
	on := 0
	OnFirstThread(func() { on = syscall.Gettid() })
	if on != syscall.Getpid() {
		t.Errorf("on thread %d of process %d", on, syscall.Getpid())
	}
}
