package devices

import "encoding/binary"

// instruction is struct bpf_insn of linux/bpf.h.
type instruction struct {
	op       uint8
	dst, src uint8
	off      int16
	imm      int32
}

// The opcodes used; the names are those of linux/bpf_common.h and filter.h.
const (
	loadWord  = 0x61 // BPF_LDX | BPF_MEM | BPF_W
	movImm    = 0xb7 // BPF_ALU64 | BPF_MOV | BPF_K
	movReg32  = 0xbc // BPF_ALU | BPF_MOV | BPF_X
	andImm32  = 0x54 // BPF_ALU | BPF_AND | BPF_K
	rshImm32  = 0x74 // BPF_ALU | BPF_RSH | BPF_K
	jumpNot32 = 0x56 // BPF_JMP32 | BPF_JNE | BPF_K
	jumpSet32 = 0x46 // BPF_JMP32 | BPF_JSET | BPF_K
	jump      = 0x05 // BPF_JMP | BPF_JA
	exit      = 0x95 // BPF_JMP | BPF_EXIT
)

// Registers while the program runs. The context is struct bpf_cgroup_dev_ctx: access<<16|type, major, minor.
const (
	r0      = iota // the verdict: 1 lets the access pass
	context        // r1
	kind           // r2: 1 block, 2 character (BPF_DEVCG_DEV_*)
	wanted         // r3: access bits
	major          // r4
	minor          // r5
)

// Program gives p as a program of type BPF_PROG_TYPE_CGROUP_DEVICE, in the host's byte order.
func (p *Policy) Program() []byte {
	insns := []instruction{
		{op: loadWord, dst: kind, src: context, off: 0},
		{op: movReg32, dst: wanted, src: kind},
		{op: andImm32, dst: kind, imm: 0xffff},
		{op: rshImm32, dst: wanted, imm: 16},
		{op: loadWord, dst: major, src: context, off: 4},
		{op: loadWord, dst: minor, src: context, off: 8},
	}
	for i := range p.exceptions {
		insns = append(insns, p.block(&p.exceptions[i])...)
	}
	insns = append(insns, verdict(p.allow)...)
	out := make([]byte, 0, 8*len(insns))
	for _, in := range insns {
		out = append(out, in.op, in.registers())
		out = binary.NativeEndian.AppendUint16(out, uint16(in.off))
		out = binary.NativeEndian.AppendUint32(out, uint32(in.imm))
	}
	return out
}

// block is the code for one exception: unless all of it matches, jump to what follows the block.
//
// An exception from a forbidding default must allow everything that is wanted; one from an allowing default forbids as soon as
// anything that is wanted is in it (security/device_cgroup.c does the same in v1).
func (p *Policy) block(e *exception) []instruction {
	tests := []instruction{{op: jumpNot32, dst: kind, imm: 1}}
	if e.kind == 'c' {
		tests[0].imm = 2
	}
	if e.major != Any {
		tests = append(tests, instruction{op: jumpNot32, dst: major, imm: int32(uint32(e.major))})
	}
	if e.minor != Any {
		tests = append(tests, instruction{op: jumpNot32, dst: minor, imm: int32(uint32(e.minor))})
	}
	var over []instruction // a test that goes on if it jumps
	switch {
	case e.access == everything:
	case p.allow:
		over = []instruction{{op: jumpSet32, dst: wanted, off: 1, imm: int32(e.access)}, {op: jump}}
	default:
		tests = append(tests, instruction{op: jumpSet32, dst: wanted, imm: int32(everything &^ e.access)})
	}
	hit := verdict(!p.allow)
	block := append(append(tests, over...), hit...)
	for i := range block {
		if in := &block[i]; in.off == 0 && (in.op == jumpNot32 || in.op == jumpSet32 || in.op == jump) {
			in.off = int16(len(block) - i - 1)
		}
	}
	return block
}

func verdict(allow bool) []instruction {
	in := instruction{op: movImm, dst: r0}
	if allow {
		in.imm = 1
	}
	return []instruction{in, {op: exit}}
}

// registers packs the two register numbers, which are bit fields in the kernel's struct.
func (in *instruction) registers() byte {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return in.src<<4 | in.dst
	}
	return in.dst<<4 | in.src
}
