package state

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// Self identifies the calling process.
func Self() (Process, error) { return Identify(os.Getpid()) }

// Identify reads the start time of a process.
func Identify(pid int) (Process, error) {
	_, start, err := stat(pid)
	return Process{PID: pid, StartTime: start}, err
}

// Alive tells whether the process still runs: a zombie does not, and neither does
// another process that got the same pid later.
func (p Process) Alive() bool {
	if p.PID <= 0 {
		return false
	}
	status, start, err := stat(p.PID)
	return err == nil && start == p.StartTime && status != 'Z' && status != 'X'
}

// stat reads the status letter and the start time of a process, fields 3 and 22.
func stat(pid int) (status byte, start uint64, err error) {
	fields, err := statFields(pid)
	if err != nil {
		return 0, 0, err
	}
	if start, err = strconv.ParseUint(string(fields[19]), 10, 64); err != nil {
		return 0, 0, fmt.Errorf("parse \"/proc/%d/stat\": %w", pid, err)
	}
	return fields[0][0], start, nil
}

// statFields reads /proc/PID/stat, proc(5), from field 3 on, at least to field 22. The
// command in field 2 may hold any byte, so fields count from its last ")".
func statFields(pid int) ([][]byte, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(fields) < 20 {
		return nil, fmt.Errorf("parse %q: %d fields", path, len(fields))
	}
	return fields, nil
}

// Ended tells how a process ended that nobody has reaped yet, as wait(2) would, proc(5)
// field 52. ok is false if it runs or is gone, or if we may not see it.
func (p Process) Ended() (status syscall.WaitStatus, ok bool) {
	fields, err := statFields(p.PID)
	if err != nil || len(fields) < 50 || string(fields[0]) != "Z" || string(fields[19]) != strconv.FormatUint(p.StartTime, 10) {
		return 0, false
	}
	code, err := strconv.ParseUint(string(fields[49]), 10, 32)
	return syscall.WaitStatus(code), err == nil
}
