package hooks

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// killGrace is how long a killed hook may take to be gone. Longer takes only one that the kernel
// does not let go.
const killGrace = 10 * time.Second

// exitError says that a hook ended otherwise than with status 0.
type exitError struct {
	// Status is wait(2)'s.
	Status syscall.WaitStatus
	// Output is the end of what the hook wrote, as it is appended to the message.
	Output string
}

// Error gives `exit status 3, stderr: no such device`, or `signal: bad system call`.
func (e *exitError) Error() string {
	switch s := e.Status; {
	case s.Signaled() && s.CoreDump():
		return "signal: " + s.Signal().String() + " (core dumped)" + e.Output
	case s.Signaled():
		return "signal: " + s.Signal().String() + e.Output
	default:
		return fmt.Sprintf("exit status %d%s", s.ExitStatus(), e.Output)
	}
}

// timeoutError says that a hook was killed, with all its process group, because it ran longer than
// it may.
type timeoutError struct {
	Timeout time.Duration
	Output  string
}

// Error gives `timed out after 2s, stderr: waiting for eth0`.
func (e *timeoutError) Error() string {
	return fmt.Sprintf("timed out after %s%s", e.Timeout, e.Output)
}

// supervise reads what the hook writes until it has ended, and kills it when its time is up. limit
// 0 is none. It closes p. A nil error is exit status 0.
func (p *process) supervise(limit time.Duration) error {
	defer p.close()
	var deadline time.Time
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	ended, err := p.await(deadline)
	if err != nil {
		if killed := p.kill(); killed != nil {
			return errors.Join(err, killed)
		}
		return errors.Join(err, p.reap(nil))
	}
	if !ended {
		if err := p.kill(); err != nil {
			return fmt.Errorf("timed out after %s: %w", limit, err)
		}
	}
	var status syscall.WaitStatus
	if err := p.reap(&status); err != nil {
		return err
	}
	if !ended {
		return &timeoutError{limit, p.output()}
	}
	if status != 0 {
		return &exitError{status, p.output()}
	}
	return nil
}

// kill kills the hook and its process group, and waits until the hook has ended. It may have left
// the group for another one of its session.
func (p *process) kill() error {
	// Nobody else's group has this number as long as the hook has not been reaped. It may be empty
	// by now, or have members that have become somebody else: these are what a hook leaves behind.
	_ = unix.Kill(-p.pid, unix.SIGKILL)
	err := unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0)
	if err != nil && err != unix.ESRCH { //nolint:errorlint // a bare errno
		return fmt.Errorf("kill process %d: %w", p.pid, err)
	}
	ended, err := p.await(time.Now().Add(killGrace))
	switch {
	case err != nil:
		return err
	case !ended:
		return fmt.Errorf("process %d does not end within %s of SIGKILL", p.pid, killGrace)
	}
	return nil
}

// await polls until the hook has ended (true) or the deadline is over. When it has ended, all that
// it wrote has been read: the rest is in the pipes and can be taken without waiting for whoever
// still holds their other end.
func (p *process) await(deadline time.Time) (ended bool, err error) {
	for {
		fds := [...]unix.PollFd{
			{Fd: int32(p.pidfd), Events: unix.POLLIN},
			{Fd: int32(p.stdout.fd), Events: unix.POLLIN},
			{Fd: int32(p.stderr.fd), Events: unix.POLLIN},
		}
		n, err := unix.Poll(fds[:], pollTimeout(deadline))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false, os.NewSyscallError("poll", err)
		}
		if n == 0 && !time.Now().Before(deadline) {
			return false, nil
		}
		p.stdout.drain(fds[1].Revents)
		p.stderr.drain(fds[2].Revents)
		if fds[0].Revents != 0 {
			p.stdout.drain(unix.POLLIN)
			p.stderr.drain(unix.POLLIN)
			return true, nil
		}
	}
}

// pollTimeout gives the milliseconds until the deadline, rounded up; -1 without one.
func pollTimeout(deadline time.Time) int {
	if deadline.IsZero() {
		return -1
	}
	left := time.Until(deadline)
	return int(min(max(left+time.Millisecond-1, 0)/time.Millisecond, 1<<30))
}

// output is the end of an error message: the hook's own words, or nothing.
func (p *process) output() string {
	var b strings.Builder
	for _, s := range [...]struct {
		name string
		text string
	}{
		{"stdout", p.stdout.text()},
		{"stderr", p.stderr.text()},
	} {
		if s.text != "" {
			b.WriteString(", " + s.name + ": " + s.text)
		}
	}
	return b.String()
}
