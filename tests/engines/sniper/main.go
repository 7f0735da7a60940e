// Command sniper kills runtimes for the sessions with real engines: each new process of PROGRAM
// that has WORD among its arguments, up to five milliseconds after it is seen. It prints WORD for
// each that it hit, until it is killed itself.
//
//	sniper PROGRAM WORD
//
// Pids are given out in order, so that the newest one, which /proc/loadavg tells, says which
// processes are new. (bash and pgrep take longer to look than the runtime to be done.)
package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	between = 300 * time.Microsecond
	looks   = 20   // at a process, until it is left alone
	latest  = 5000 // microseconds from seeing it to the shot
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sniper PROGRAM WORD")
		os.Exit(2)
	}
	program, word := os.Args[1], os.Args[2]
	seen, looked := newest(), map[int]int{}
	for {
		last := newest()
		if last < seen {
			seen = 0 // they are given out from the start again
		}
		for ; seen < last; seen++ {
			looked[seen+1] = 0
		}
		for pid := range looked {
			looked[pid]++ // it may be on its way to execute the program
			if is(pid, program, word) {
				shoot(pid, word)
				delete(looked, pid)
			} else if looked[pid] > looks {
				delete(looked, pid)
			}
		}
		time.Sleep(between)
	}
}

// newest is the pid that was given out last in this pid namespace.
func newest() int {
	line, err := os.ReadFile("/proc/loadavg")
	fields := bytes.Fields(line)
	if err != nil || len(fields) == 0 {
		return 0
	}
	pid, _ := strconv.Atoi(string(fields[len(fields)-1]))
	return pid
}

func is(pid int, program, word string) bool {
	arguments, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && bytes.HasPrefix(arguments, []byte(program+"\x00")) && bytes.Contains(arguments, []byte("\x00"+word+"\x00"))
}

// shoot kills it a moment later.
func shoot(pid int, word string) {
	time.Sleep(time.Duration(rand.IntN(latest)) * time.Microsecond)
	if syscall.Kill(pid, syscall.SIGKILL) == nil {
		fmt.Println(word)
	}
}
