package process

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// CPUSet is a mask of CPUs or of memory nodes, as the kernel wants it: bit N%64 of word N/64.
type CPUSet []uint64

// maxCPU bounds what a list may name, lest a wrong number ask for gigabytes. Linux supports 8192
// CPUs today.
const maxCPU = 1<<16 - 1

// parseCPUSet parses a list such as "0-3,5,8-11". Spaces around elements and empty elements are
// allowed; an empty list gives an empty set, which is not an error.
func parseCPUSet(list string) (CPUSet, error) {
	var set CPUSet
	for element := range strings.SplitSeq(list, ",") {
		element = strings.TrimSpace(element)
		if element == "" {
			continue
		}
		low, high, isRange := strings.Cut(element, "-")
		from, err := parseCPU(low)
		if err != nil {
			return nil, err
		}
		to := from
		if isRange {
			if to, err = parseCPU(high); err != nil {
				return nil, err
			}
		}
		if to < from {
			return nil, fmt.Errorf("range %q runs backwards", element)
		}
		set = set.add(from, to)
	}
	if len(set) == 0 && list != "" {
		return nil, fmt.Errorf("list %q has no members", list)
	}
	return set, nil
}

func parseCPU(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > maxCPU {
		return 0, fmt.Errorf("%q is not a number from 0 to %d", s, maxCPU)
	}
	return int(n), nil
}

func (s CPUSet) add(from, to int) CPUSet {
	for len(s) <= to/64 {
		s = append(s, 0)
	}
	for n := from; n <= to; n++ {
		s[n/64] |= 1 << (n % 64)
	}
	return s
}

// Bytes gives the set as the memory that sched_setaffinity(2) reads, nil for an empty set.
func (s CPUSet) Bytes() (b []byte) {
	for _, word := range s {
		b = binary.NativeEndian.AppendUint64(b, word)
	}
	return b
}

// Count returns the number of members.
func (s CPUSet) Count() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// list gives the members as parseCPUSet takes them: "0-3,5".
func (s CPUSet) list() string {
	has := func(n int) bool { return n < len(s)*64 && s[n/64]&(1<<(n%64)) != 0 }
	var ranges []string
	for n := 0; n < len(s)*64; n++ {
		if !has(n) {
			continue
		}
		first := n
		for has(n + 1) {
			n++
		}
		text := strconv.Itoa(first)
		if n > first {
			text += "-" + strconv.Itoa(n)
		}
		ranges = append(ranges, text)
	}
	return strings.Join(ranges, ",")
}

// String gives the mask as one hexadecimal number: "0x3" for CPUs 0 and 1.
func (s CPUSet) String() string {
	var b strings.Builder
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case b.Len() > 0:
			fmt.Fprintf(&b, "%016x", s[i])
		case s[i] != 0:
			fmt.Fprintf(&b, "0x%x", s[i])
		}
	}
	if b.Len() == 0 {
		return "0x0"
	}
	return b.String()
}
