package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/state"
)

// ranProgram tells whether init, whose end of the channel is closed, has executed its
// program, or has ended without: the seccomp filter, which is loaded before, may kill it
// at execve, and may keep it from saying why execve failed. If nobody knows any more what
// it was when it ended, because its parent was quick, it has run the program.
func ranProgram(init state.Process) error {
	// Whoever has closed its files while it dies has no program any more. (Nor has it one that a
	// user may see.)
	if _, err := os.Readlink("/proc/" + strconv.Itoa(init.PID) + "/exe"); err == nil {
		return nil
	}
	for deadline := time.Now().Add(reaped); init.Named(initproc.Executing); time.Sleep(time.Millisecond) {
		alive, err := init.Alive()
		if status, ok := init.Ended(); ok {
			return notExecuted(status)
		}
		if err == nil && !alive && init.Named(initproc.Executing) { // how it ended is hidden from us
			return notExecuted(0)
		}
		if time.Now().After(deadline) {
			break
		}
	}
	return nil
}

// ranProgram is [ranProgram] for the process of an exec, which is our child.
func (e *Executed) ranProgram() error {
	p, err := state.Identify(e.PID)
	if err != nil {
		return nil // nobody else can tell
	}
	return ranProgram(p)
}

// profileError is the error of an init that its seccomp profile has kept from its program.
type profileError string

func (e profileError) Error() string { return string(e) }

func notExecuted(status syscall.WaitStatus) error {
	switch {
	case status.Signaled() && status.Signal() == unix.SIGSEGV, !status.Signaled(): // it ends by a fault if it may not exit
		return profileError("init could not execute the program, and the seccomp profile does not let it report why")
	case status.Signal() == unix.SIGSYS:
		return profileError("the seccomp profile killed init at execve (SIGSYS): it does not allow execve, or does not let init report why execve failed")
	}
	return fmt.Errorf("init was killed at execve (%s)", unix.SignalName(status.Signal()))
}

// leaderless ends an init whose first thread the seccomp filter has killed: the others
// would wait forever.
func (c *Container) leaderless() error {
	init := c.record.Init
	if !init.Leaderless() || !init.Named(initproc.Executing) {
		return nil
	}
	err := notExecuted(syscall.WaitStatus(unix.SIGSYS))
	if killed := signalProcess(init, unix.SIGKILL); killed != nil && !errors.Is(killed, os.ErrProcessDone) {
		return errors.Join(err, killed)
	}
	for { // SIGKILL leaves it no choice
		if alive, unknown := init.Alive(); unknown != nil || !alive {
			return errors.Join(err, unknown)
		}
		time.Sleep(time.Millisecond)
	}
}
