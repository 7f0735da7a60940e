package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// peakOf, as the first argument, makes this program run a command and print the largest resident
// set that it had.
//
// A process begins with the peak of the one that it was forked from, so a program as large as the
// benchmark can't measure a small one: it starts a fresh copy of itself in between.
const peakOf = "-peak-of"

// printPeak prints, in kB, its own peak and then the peak of a command and of the children that the
// command waited for.
func printPeak(command []string) int {
	cmd := exec.Command(command[0], command[1:]...)
	if err := cmd.Run(); err != nil {
		return 1
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 1
	}
	fmt.Println(ownPeak(), usage.Maxrss)
	return 0
}

// ownPeak is this process's own, since its execve: VmHWM in proc_pid_status(5), kB.
func ownPeak() int64 {
	text, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	field, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kb, _ := strconv.ParseInt(field, 10, 64)
	return kb
}

// peakOfCreate says how much memory a create took, "<" where it was too little to tell.
func (s *subject) peakOfCreate() string {
	self, err := os.Executable()
	if err != nil {
		return "-"
	}
	id := s.id("short")
	out, err := exec.Command(self, peakOf, s.path, "--root", s.root, "create", "-b", s.short, "--pid-file", s.pidFile, id).Output()
	if err != nil {
		return "-"
	}
	_, _ = s.call("delete", "--force", id)
	_ = s.reap(s.pidFile)
	var probe, peak int64
	if _, err := fmt.Sscan(string(out), &probe, &peak); err != nil {
		return "-"
	}
	bound := ""
	if peak <= probe {
		bound = "< "
	}
	return fmt.Sprintf("%s%.1f MB", bound, float64(peak)/1024)
}

// printFootprint shows what the runtimes weigh on disk and, while they create, in memory.
func printFootprint(subjects []*subject) {
	fmt.Printf("\n%-16s %14s %24s\n", "runtime", "binary", "peak memory of create")
	for _, s := range subjects {
		size := "-"
		if info, err := os.Stat(s.path); err == nil {
			size = fmt.Sprintf("%.2f MB", float64(info.Size())/(1<<20))
		}
		if !isStatic(s.path) {
			size += " + libs"
		}
		fmt.Printf("%-16s %14s %24s\n", s.label, size, s.peakOfCreate())
	}
}
