package state

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDying: who looks at a process that was just killed may find that it has ended already.
func TestDying(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if p.Dying() {
		t.Error("a process that nobody has killed is taken for dying")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !p.Dying() {
		t.Error("a process that was just killed is not dying")
	}
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, p.PID, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if !p.Dying() {
		t.Error("a process that has ended is not dying")
	}
	_ = cmd.Wait()
	if !p.Dying() {
		t.Error("a process that was reaped is not dying")
	}
}
