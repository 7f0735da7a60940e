package thread

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// busy runs f while a goroutine of ours runs, so that the monitor does not rest.
func busy(f func()) {
	var stop atomic.Bool
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for !stop.Load() {
		}
	}()
	f()
	stop.Store(true)
	<-stopped
}

// The first thread that the runtime makes is the one that sleeps by the clock.
func TestMonitorIsTheMonitor(t *testing.T) {
	tid := monitor()
	if tid == "" || tid == strconv.Itoa(os.Getpid()) {
		t.Fatalf("the monitor is %q, the process %d", tid, os.Getpid())
	}
	sleeps := 0
	busy(func() {
		for deadline := time.Now().Add(10 * time.Second); sleeps < 20 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			call, err := os.ReadFile("/proc/self/task/" + tid + "/syscall")
			if err != nil {
				t.Skipf("/proc doesn't tell the system call of a thread here (CONFIG_HAVE_ARCH_TRACEHOOK): %v", err)
			}
			if number, _, _ := strings.Cut(string(call), " "); number == strconv.Itoa(unix.SYS_NANOSLEEP) {
				sleeps++
			}
		}
	})
	if sleeps < 20 {
		t.Errorf("thread %s was seen %d times in nanosleep(2)", tid, sleeps)
	}
}

func slackOf(t *testing.T, pid string) string {
	t.Helper()
	slack, err := os.ReadFile("/proc/" + pid + "/timerslack_ns")
	if err != nil {
		t.Skipf("/proc doesn't tell the timer slack of a process here (Linux 4.6): %v", err)
	}
	return strings.TrimSpace(string(slack))
}

// A process that is started on a thread which the monitor has made has the caller's slack.
func TestCallersSlack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("effective uid is not 0")
	}
	CalmMonitor()
	defer func() { callerSlack = 0 }()
	if !MonitorIsCalm() {
		t.Skipf("the monitor's slack can't be changed here: GOMAXPROCS is %d, and CAP_SYS_NICE is needed", runtime.GOMAXPROCS(0))
	}
	if slack := slackOf(t, monitor()); slack != strconv.Itoa(monitorSlack) {
		t.Errorf("the monitor's slack is %s", slack)
	}
	if slack := slackOf(t, "self"); slack != "50000" {
		t.Errorf("the first thread's slack is %s", slack)
	}
	s := New()
	defer s.End()
	s.Do(func() {
		if err := unix.Prctl(unix.PR_SET_TIMERSLACK, monitorSlack, 0, 0, 0); err != nil {
			t.Error(err)
		}
		var slack []byte
		err := CallersSlack(func() (err error) {
			slack, err = exec.Command("cat", "/proc/self/timerslack_ns").Output()
			return err
		})
		if err != nil || strings.TrimSpace(string(slack)) != "50000" {
			t.Errorf("the process's slack is %s, %v", slack, err)
		}
	})
}
