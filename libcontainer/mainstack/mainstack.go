// Package mainstack gives the main goroutine, before anything else runs on it, the stack that it will need.
//
// It would begin with 2 KiB and grow to 4, 8, 16 and 32 by and by. Each step makes the runtime lay out a span of stacks of
// that size, which touches all of its pages, and copy the stack, for which it looks each frame up in tables that nothing else
// reads: some twenty page faults before main has done anything. One step from 2 KiB to 32 touches only what will be used.
package mainstack

// frame is more than half of 32 KiB, and so asks for a stack of 32.
const frame = 20 << 10

// Nothing is imported here, so that the linker puts this before the first initialiser that needs more than 2 KiB
// (TestMainStackGrowsFirst in tests/architecture).
func init() { reserve(false) }

// reserve has a frame of that size, for which the stack has to grow when it is called; the frame itself stays untouched.
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
