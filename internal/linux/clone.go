package linux

import "runtime"

// Clone gives the first two arguments of a clone(2) whose child goes on on a copy of its parent's
// stack: the flags and the stack's address, which is 0. The kernel of s390x takes them the other
// way round (clone(2), "C library/kernel differences").
//
//go:nosplit
func Clone(flags uintptr) (first, second uintptr) {
	if runtime.GOARCH == "s390x" {
		return 0, flags
	}
	return flags, 0
}
