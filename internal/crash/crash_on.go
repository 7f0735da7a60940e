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

// ByInit lets a test compare the two ways of a command, "CREATE" or "EXEC": the variable OCI_RUN_
// and its name says "init".
func ByInit(command string) bool { return os.Getenv("OCI_RUN_"+command) == "init" }
