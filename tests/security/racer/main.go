// Command racer is the attacker of the security sessions: what a hostile volume, or a hostile
// process in a container, does too fast for a shell. It is static, so that it runs in any root.
//
//	racer swap A B            exchange two names until it is killed
//	racer spy SECONDS CANARY  look for ways out of the container, and programs to write to, in every other process's /proc/PID
//	racer overwrite SECONDS   try to write to the programs that other processes run
//	racer overwrite-pid PID   the same with one process
//	racer console SOCKET      accept terminals and let them go
//	racer flood BYTES         write as much to stdout and stderr
//	racer agent SOCKET MANNER be a seccomp agent, a good or a bad one
//
// What succeeds is printed, one line each; nothing printed is nothing found.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// verbs is the command table: each gets its arguments, and how many it wants.
var verbs = []struct {
	name string
	args int
	run  func(args []string) error
}{
	{"swap", 2, func(a []string) error { return swap(a[0], a[1]) }},
	{"spy", 2, func(a []string) error { return newSpy(a[1]).watch(a[0]) }},
	{"overwrite", 1, func(a []string) error { return timed(a[0], newOverwriter().look) }},
	{"overwrite-pid", 1, func(a []string) error { newOverwriter().look(a[0]); return nil }},
	{"console", 1, func(a []string) error { return console(a[0]) }},
	{"flood", 1, func(a []string) error { return flood(a[0]) }},
	{"agent", 2, func(a []string) error { return agent(a[0], a[1]) }},
}

func main() {
	for _, v := range verbs {
		if len(os.Args) == v.args+2 && os.Args[1] == v.name {
			if err := v.run(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, "racer:", err)
				os.Exit(1)
			}
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: racer swap A B | spy SECONDS CANARY | overwrite SECONDS | overwrite-pid PID | console SOCKET | flood BYTES | agent SOCKET MANNER")
	os.Exit(2)
}

// swap exchanges two names as fast as the kernel can, renameat2(2). It ends with its parent.
func swap(a, b string) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_PDEATHSIG: %w", err)
	}
	for {
		if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
			return fmt.Errorf("exchange %q and %q: %w", a, b, err)
		}
	}
}

// timed calls look with the pid of every other process, over and over, until the time is over or
// SIGTERM comes.
func timed(seconds string, look func(pid string)) error {
	limit, err := strconv.Atoi(seconds)
	if err != nil {
		return err
	}
	self := strconv.Itoa(os.Getpid())
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGTERM)
	for deadline := time.Now().Add(time.Duration(limit) * time.Second); time.Now().Before(deadline) && len(ended) == 0; {
		for _, pid := range processes() {
			if pid != self && pid != "1" {
				look(pid)
			}
		}
	}
	return nil
}

// processes lists /proc, without the cost of sorting that os.ReadDir has.
func processes() []string {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	pids := names[:0]
	for _, name := range names {
		if name[0] >= '0' && name[0] <= '9' {
			pids = append(pids, name)
		}
	}
	return pids
}

// flood writes lines until there are enough bytes.
func flood(bytes string) error {
	n, err := strconv.Atoi(bytes)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<16)
	for i := range block {
		block[i] = 'x'
	}
	for written := 0; written < n; written += 2 * len(block) {
		for _, f := range []*os.File{os.Stdout, os.Stderr} {
			if _, err := f.Write(block); err != nil {
				return err
			}
		}
	}
	return nil
}
