// Package ere matches POSIX extended regular expressions (regex(7)), of the size that people type
// at a command line. The standard library's package would make the binary a quarter of a megabyte
// larger, and each start slower by its tables, for two options.
//
// Not supported: back references, collating elements ("[.x.]", "[=x=]"), and letters behind a
// backslash. Bytes are matched, not characters.
package ere

import "math/bits"

// Pattern is a compiled expression.
type Pattern struct {
	code []instruction
	text string
}

// class is a set of bytes.
type class [4]uint64

func (c *class) add(b byte)      { c[b>>6] |= 1 << (b & 63) }
func (c *class) has(b byte) bool { return c[b>>6]&(1<<(b&63)) != 0 }

// invert makes it the set of all other bytes.
func (c *class) invert() {
	for i := range c {
		c[i] = ^c[i]
	}
}

// operation is what an instruction does.
type operation uint8

const (
	consume operation = iota // a byte of the class, and go on with the next instruction
	split                    // go on at both offsets
	jump                     // go on at the first offset
	begin                    // only at the beginning of the text
	end                      // only at its end
	accept
)

// instruction is one of a machine that is in several places at once. Offsets are relative, so that
// a part of the code can be repeated as it is.
type instruction struct {
	operation operation
	class     *class
	x, y      int
}

// String is the expression as it was given.
func (p *Pattern) String() string { return p.text }

// Match tells whether any part of the text matches. Its time is bounded by the product of the
// lengths of both.
func (p *Pattern) Match(text string) bool {
	now, next := newPlaces(len(p.code)), newPlaces(len(p.code))
	for at := 0; ; at++ {
		if p.enter(now, 0, at, len(text)) {
			return true
		}
		if at == len(text) {
			return false
		}
		for pc := range now.all {
			i := &p.code[pc]
			if i.operation == consume && i.class.has(text[at]) && p.enter(next, pc+1, at+1, len(text)) {
				return true
			}
		}
		now, next = next, now
		next.clear()
	}
}

// enter adds an instruction to the places, and all those that it leads to without consuming
// anything. It tells whether that is the end.
func (p *Pattern) enter(to places, pc, at, length int) bool {
	for stack := []int{pc}; len(stack) > 0; {
		pc, stack = stack[len(stack)-1], stack[:len(stack)-1]
		if !to.add(pc) {
			continue
		}
		switch i := &p.code[pc]; i.operation {
		case accept:
			return true
		case jump:
			stack = append(stack, pc+i.x)
		case split:
			stack = append(stack, pc+i.x, pc+i.y)
		case begin:
			if at == 0 {
				stack = append(stack, pc+1)
			}
		case end:
			if at == length {
				stack = append(stack, pc+1)
			}
		case consume:
		}
	}
	return false
}

// places is a set of instructions.
type places []uint64

func newPlaces(n int) places { return make(places, (n+63)/64) }

// add tells whether the instruction was not in the set before.
func (s places) add(pc int) bool {
	word, bit := &s[pc>>6], uint64(1)<<(pc&63)
	isNew := *word&bit == 0
	*word |= bit
	return isNew
}

func (s places) clear() { clear(s) }

// all calls yield for each instruction of the set.
func (s places) all(yield func(int) bool) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			if !yield(i<<6 + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}
