//go:build amd64 || arm64

package batch

import "unsafe"

// code tells where the instructions begin, which nobody calls here, and how long they are.
//
//go:noescape
func code() (from *byte, size uintptr)

// maxCode bounds the instructions: they are some 250 bytes, if the linker has put their end
// where it stands in the source.
const maxCode = 1024

// instructions returns the code of the loop that makes the calls, or nil.
func instructions() []byte {
	from, size := code()
	if size > maxCode {
		return nil
	}
	return unsafe.Slice(from, size)
}
