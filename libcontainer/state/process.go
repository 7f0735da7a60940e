package state

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
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

// stat reads the status letter and the start time from /proc/PID/stat, proc(5): fields 3
// and 22. The command in field 2 may hold any byte, so fields count from its last ")".
func stat(pid int) (status byte, start uint64, err error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	rest := raw[bytes.LastIndexByte(raw, ')')+1:]
	fields := bytes.Fields(rest)
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("parse %q: %d fields", path, len(fields))
	}
	start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("parse %q: %w", path, err)
	}
	return fields[0][0], start, nil
}
