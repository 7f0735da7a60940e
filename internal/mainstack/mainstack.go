// Package mainstack gives the main goroutine, before anything else runs on it, the stack that it
// will need.
//
// It would begin with 2 KiB and grow to 4, 8, 16 and 32 step by step. At each step below 32 the
// runtime divides a span of 32 KiB into stacks of that size and writes to the beginning of each,
// and at each step it copies the old stack, for which it looks up every frame in tables that
// nothing else reads so early. Growing once, from 2 KiB to 32, which is a span of its own, saves
// some twenty page faults.
package mainstack

// frame is more than half of 32 KiB, and so asks for a stack of 32.
const frame = 20 << 10

// The linker orders initialisers by what packages import, and among those that wait for nothing by
// path. Nothing is imported here, so that this comes before internal/godebug, the first that needs
// more than 2 KiB: TestMainStackGrowsFirst in tests/architecture sees that it does.
func init() { Grow() }

// Grow does the same for the goroutine that calls it, for one that is going to need as much.
func Grow() { reserve(false) }

// reserve has a frame of that size, for which the stack has to grow when it is called; the frame
// itself stays untouched.
//
//go:noinline
func reserve(touch bool) byte {
	if !touch {
		return 0
	}
	var room [frame]byte
	for i := range room {
		room[i] = byte(i)
	}
	return room[len(room)/2]
}
