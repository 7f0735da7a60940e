// Package entry is where the program begins, before Go's runtime does: it spares the runtime what
// a command has no use for. The linker's option -E has the kernel enter the program there (see
// the Makefile); a `go build` without it makes a program that begins as usual.
//
// One processor. For each that the machine has, the runtime makes a structure, a cache and stacks
// when it begins, 4 page faults; and while there is more than one, each goroutine that it starts
// for itself wakes up another thread. It takes the number from the environment alone, so that
// GOMAXPROCS=1 is put in front of that, unless there is a GOMAXPROCS.
//
// No limit of CPU time. The runtime looks for one in /proc/self/cgroup, /proc/self/mountinfo and
// a file below, and then makes nothing of it (containermaxprocs=0). As long as it can't open
// files (RLIMIT_NOFILE) it doesn't look, nor has it another use for one, where fds 0 to 2 are
// open.
//
// Nothing but the runtime is imported here, so that the limit is back before another package is
// initialised: package os keeps it, for what the program executes.
package entry

import "runtime"

// What entry leaves behind, in assembler.
var (
	added   bool // GOMAXPROCS is in the environment
	lowered bool // the soft limit of files is 0
)

// several is for what does things at the same time: none has more threads at work.
const several = 4

func init() {
	if lowered {
		restore()
	}
}

// Added tells whether the environment has a GOMAXPROCS that is nobody's. It has to be taken out
// before anything is executed.
func Added() bool { return added }

// Several has more processors, where there is one only because of entry: for what waits in system
// calls in several places at once, each of which keeps a processor until the runtime's monitor
// comes by, some milliseconds later. What does one thing after the other is better off with one.
func Several() {
	if added {
		runtime.GOMAXPROCS(min(several, runtime.NumCPU()))
	}
}
