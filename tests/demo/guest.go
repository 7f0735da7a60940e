package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// guestName is what this program is called in the container; there it is the container's program.
const guestName = "hello"

// guest tells what the container looks like from inside. With "look" that is all; else it stays
// until SIGTERM.
func guest(args []string) {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)

	host, _ := os.Hostname()
	fmt.Printf("hello from %q: I am pid %d, uid %d, gid %d, in %s\n", host, os.Getpid(), os.Getuid(), os.Getgid(), workingDirectory())
	fmt.Printf("processes that I see: %s\n", strings.Join(processes(), ", "))
	if len(args) > 0 && args[0] == "look" {
		return
	}
	fmt.Printf("files at /: %s\n", strings.Join(names("/"), " "))
	fmt.Printf("mounts: %s\n", strings.Join(mounts(), " "))
	fmt.Printf("network devices: %s\n", strings.Join(names("/sys/class/net"), " "))
	fmt.Printf("capabilities: %s, seccomp mode %s, no new privileges %s\n", status("CapEff"), status("Seccomp"), status("NoNewPrivs"))
	fmt.Println("now I wait for SIGTERM")
	<-terminated
	fmt.Println("SIGTERM: goodbye")
}

func workingDirectory() string {
	dir, err := os.Getwd()
	if err != nil {
		return err.Error()
	}
	return dir
}

// names lists a directory.
func names(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return []string{err.Error()}
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// processes lists "pid program" of each process in this pid namespace.
func processes() []string {
	var all []string
	for _, name := range names("/proc") {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", name, "cmdline"))
		all = append(all, name+" "+strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " ")))
	}
	return all
}

// mounts lists the mount points.
func mounts() []string {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return []string{err.Error()}
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 {
			all = append(all, fields[1])
		}
	}
	return all
}

// status is a field of /proc/self/status.
func status(field string) string {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
