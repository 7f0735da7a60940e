//go:build crashpoints

// Package crash has what only test builds do (tag crashpoints): end at a named step, and take a way
// that would not be chosen.
package crash

import (
	"os"

	"golang.org/x/sys/unix"
)

// Point kills the command with SIGKILL at the step that OCI_RUN_CRASH names.
func Point(step string) {
	if os.Getenv("OCI_RUN_CRASH") == step {
		_ = unix.Tgkill(os.Getpid(), os.Getpid(), unix.SIGKILL)
		select {}
	}
}

// ByInit lets a test compare the two ways of an exec.
func ByInit() bool { return os.Getenv("OCI_RUN_EXEC") == "init" }
