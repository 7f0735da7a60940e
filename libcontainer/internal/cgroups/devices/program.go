package devices

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"
)

// instruction is struct bpf_insn of linux/bpf.h.
type instruction struct {
	op       uint8
	dst, src uint8
	off      int16
	imm      int32
}

// The opcodes used; the names are those of linux/bpf_common.h and filter.h. Those on 32 bits clear
// the upper half.
const (
	loadWord    = 0x61 // BPF_LDX | BPF_MEM | BPF_W
	mov32       = 0xbc // BPF_ALU | BPF_MOV | BPF_X
	or32        = 0x4c // BPF_ALU | BPF_OR | BPF_X
	andImm32    = 0x54 // BPF_ALU | BPF_AND | BPF_K
	xorImm32    = 0xa4 // BPF_ALU | BPF_XOR | BPF_K
	lshImm32    = 0x64 // BPF_ALU | BPF_LSH | BPF_K
	rshImm32    = 0x74 // BPF_ALU | BPF_RSH | BPF_K
	movImm      = 0xb7 // BPF_ALU64 | BPF_MOV | BPF_K
	or64        = 0x4f // BPF_ALU64 | BPF_OR | BPF_X
	subImm      = 0x17 // BPF_ALU64 | BPF_SUB | BPF_K
	xorImm      = 0xa7 // BPF_ALU64 | BPF_XOR | BPF_K
	rshImm      = 0x77 // BPF_ALU64 | BPF_RSH | BPF_K
	jumpEqual32 = 0x16 // BPF_JMP32 | BPF_JEQ | BPF_K
	jumpSet32   = 0x46 // BPF_JMP32 | BPF_JSET | BPF_K
	jump        = 0x05 // BPF_JMP | BPF_JA
	exit        = 0x95 // BPF_JMP | BPF_EXIT
)

// Registers while the program runs. The context is struct bpf_cgroup_dev_ctx: access<<16|type,
// major, minor.
const (
	found   = iota // r0: bit 63 says that an exception holds; at the end the verdict, 1 lets the access pass
	context        // r1
	kind           // r2: 1 block, 2 character (BPF_DEVCG_DEV_*)
	wanted         // r3: access bits
	major          // r4
	minor          // r5
	number         // r6: major<<20 | minor, as the kernel's dev_t
	scratch        // r7
)

const minorBits, majorBits = 20, 12

// program gives p as a program of type BPF_PROG_TYPE_CGROUP_DEVICE, in the host's byte order.
//
// It has next to no jumps, because they are what the verifier's time goes to: a program that tests
// each rule with jumps, for the default rules, takes 340 µs to load and this one 58, of which 18
// are any program's (Linux 6.18). A device is compared with an exception by arithmetic: the
// exclusive or of the numbers, less one, has bit 63 set only if they are equal.
func (p *Policy) program() []byte {
	char, block := p.tests('c'), p.tests('b')
	insns := []instruction{
		{op: loadWord, dst: kind, src: context, off: 0},
		{op: mov32, dst: wanted, src: kind},
		{op: andImm32, dst: kind, imm: 0xffff},
		{op: rshImm32, dst: wanted, imm: 16},
		{op: loadWord, dst: major, src: context, off: 4},
		{op: loadWord, dst: minor, src: context, off: 8},
		{op: mov32, dst: number, src: major},
		{op: lshImm32, dst: number, imm: minorBits},
		{op: or32, dst: number, src: minor},
		{op: movImm, dst: found, imm: 0},
	}
	insns = append(insns, over(instruction{op: jumpEqual32, dst: kind, imm: 1}, char, 1)...)
	insns = append(insns, over(instruction{op: jump}, block, 0)...)
	insns = append(insns, instruction{op: rshImm, dst: found, imm: 63})
	if p.allow {
		insns = append(insns, instruction{op: xorImm, dst: found, imm: 1})
	}
	return encode(append(insns, instruction{op: exit}))
}

// farthest is how many instructions a jump can pass over: its field has 16 bits. (Jumps of 32 bits
// came with Linux 6.6.)
const farthest = math.MaxInt16

// over gives the pieces, with a jump before them that goes to where they end, and more instructions
// beyond. If that is too far for one jump, it goes from island to island: two jumps between two
// pieces, of which the first leads those past that come out of a piece.
func over(first instruction, pieces [][]instruction, more int) []instruction {
	total := more
	for _, piece := range pieces {
		total += len(piece)
	}
	if total <= farthest {
		first.off = int16(total)
		return append([]instruction{first}, slices.Concat(pieces...)...)
	}
	out := make([]instruction, 0, total+2*len(pieces))
	hop := first
	for i, piece := range pieces {
		last := i == len(pieces)-1
		if hop.off = int16(len(piece) + 1); last {
			hop.off = int16(len(piece) + more)
		}
		out = append(append(out, hop), piece...)
		if !last {
			out = append(out, instruction{op: jump, off: 1})
		}
		hop = instruction{op: jump}
	}
	return out
}

// tests is the code for the exceptions of one kind of device, in pieces that stand for themselves:
// those with the same access share the test of it.
func (p *Policy) tests(kind byte) [][]instruction {
	var list []exception
	for _, e := range p.exceptions {
		if e.kind == kind && e.reachable() {
			list = append(list, e)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].access > list[j].access })
	var out [][]instruction
	for len(list) > 0 {
		n := 1
		for n < len(list) && n < mostInGroup && list[n].access == list[0].access {
			n++
		}
		out = append(out, p.group(list[:n]))
		list = list[n:]
	}
	return out
}

// mostInGroup keeps a group within the reach of a jump: a test has at most four instructions.
const mostInGroup = 8000

// group is the code for exceptions with the same access.
//
// An exception from a forbidding default must allow everything that is wanted; one from an allowing
// default forbids as soon as anything that is wanted is in it (security/device_cgroup.c does the
// same in v1).
func (p *Policy) group(list []exception) []instruction {
	out := make([]instruction, 0, 4*len(list)+2)
	switch a := list[0].access; {
	case a == everything:
	case p.allow:
		out = append(out, instruction{op: jumpSet32, dst: wanted, imm: int32(a), off: 1}, instruction{op: jump})
	default:
		out = append(out, instruction{op: jumpSet32, dst: wanted, imm: int32(everything &^ a)})
	}
	head := len(out)
	for i := range list {
		out = append(out, list[i].test()...)
	}
	if head > 0 {
		out[head-1].off = int16(len(out) - head)
	}
	return out
}

// test sets bit 63 of found if the device is the exception's.
func (e *exception) test() []instruction {
	register, value := uint8(number), int32(uint32(e.major<<minorBits|e.minor))
	switch {
	case e.major == anyNumber && e.minor == anyNumber:
		return []instruction{{op: movImm, dst: found, imm: -1}}
	case e.minor == anyNumber:
		register, value = major, int32(e.major)
	case e.major == anyNumber:
		register, value = minor, int32(e.minor)
	}
	return []instruction{
		{op: mov32, dst: scratch, src: register},
		{op: xorImm32, dst: scratch, imm: value},
		{op: subImm, dst: scratch, imm: 1},
		{op: or64, dst: found, src: scratch},
	}
}

// reachable tells whether Linux can have a device with such numbers.
func (e *exception) reachable() bool { return e.major < 1<<majorBits && e.minor < 1<<minorBits }

// encode lays instructions out as the kernel's struct, in which the two registers are bit fields.
func encode(insns []instruction) []byte {
	little := binary.NativeEndian.Uint16([]byte{1, 0}) == 1
	out := make([]byte, 0, 8*len(insns))
	for _, in := range insns {
		registers := in.dst<<4 | in.src
		if little {
			registers = in.src<<4 | in.dst
		}
		out = append(out, in.op, registers)
		out = binary.NativeEndian.AppendUint16(out, uint16(in.off))
		out = binary.NativeEndian.AppendUint32(out, uint32(in.imm))
	}
	return out
}
