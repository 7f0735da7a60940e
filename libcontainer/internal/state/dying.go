package state

import (
	"bytes"
	"strconv"
	"syscall"

	"oci-run/internal/files"
)

// Dying tells whether the process has ended, or is going to: it has been killed, or exits. It is
// false where that can't be known: then nobody takes it for dead.
func (p Process) Dying() bool { return p.ended() || p.ending() || p.ended() } // it may end while it is looked at

func (p Process) ended() bool {
	alive, err := p.Alive()
	return err == nil && !alive
}

// ending tells whether a process that has not ended yet is going to.
func (p Process) ending() bool {
	status, err := files.Read("/proc/" + strconv.Itoa(p.PID) + "/status")
	if err != nil {
		return false
	}
	for line := range bytes.Lines(status) {
		name, mask, _ := bytes.Cut(line, []byte(":\t"))
		if string(name) != "SigPnd" && string(name) != "ShdPnd" {
			continue
		}
		if pending, err := strconv.ParseUint(string(bytes.TrimSpace(mask)), 16, 64); err == nil && pending&(1<<(syscall.SIGKILL-1)) != 0 {
			return true
		}
	}
	// PF_EXITING and PF_SIGNALED of the kernel's sched.h, proc(5) field 9: the signal has been
	// taken.
	const ending = 0x4 | 0x400
	fields, err := statFields(p.PID)
	if err != nil {
		return false
	}
	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	return err == nil && flags&ending != 0
}
