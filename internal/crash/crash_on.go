//go:build crashpoints

// Package crash has what only test builds do (tag crashpoints): end at a named step, and take a way
// that would not be chosen.
package crash

import (
	"cmp"
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

// way is "init" in a build that takes the second way wherever the environment doesn't say
// otherwise. The linker sets it (Makefile), for engines that hand no environment on.
var way string

// ByInit lets a test compare the two ways of a command, "CREATE" or "EXEC": the variable OCI_RUN_
// and its name says "init", or something else.
func ByInit(command string) bool { return cmp.Or(os.Getenv("OCI_RUN_"+command), way) == "init" }
