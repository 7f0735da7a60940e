package libcontainer

import (
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/state"
)

// The status words are those of wait(2).
func TestEnding(t *testing.T) {
	c := &Container{record: &state.Record{ID: "one"}}
	for status, want := range map[unix.WaitStatus]Ending{
		0:      {},
		7 << 8: {Code: 7},
		9:      {Code: 137, Signal: unix.SIGKILL},
		15:     {Code: 143, Signal: unix.SIGTERM},
		// With a core dump, and the highest real-time signal.
		0x80 | 11: {Code: 139, Signal: unix.SIGSEGV},
		64:        {Code: 192, Signal: unix.Signal(64)},
	} {
		if got := c.ending(status, 0); *got != want {
			t.Errorf("%#x: got %+v, want %+v", status, *got, want)
		}
	}
}

// Init that didn't become its program: what the seccomp profile does to it is told apart from a
// kill.
func TestNotExecuted(t *testing.T) {
	for status, want := range map[syscall.WaitStatus]string{
		1 << 8: "does not let it report why",
		11:     "does not let it report why", // init's way to end where it may not exit
		31:     "(SIGSYS)",
		9:      "init was killed at execve (SIGKILL)",
	} {
		if err := notExecuted(status); !strings.Contains(err.Error(), want) {
			t.Errorf("%#x: got %q, want %q in it", status, err, want)
		}
	}
}
