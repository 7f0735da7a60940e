package seccomp

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// sizeofInstruction is the size of struct sock_filter.
const sizeofInstruction = 8

// maxJump is the longest conditional jump: its distance has 8 bits.
const maxJump = 255

// BPF instructions that the filters are made of (linux/bpf_common.h).
const (
	opLoad     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opAnd      = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opJump     = unix.BPF_JMP | unix.BPF_JA
	opEqual    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opGreater  = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opNotBelow = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opAnyBit   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	opReturn   = unix.BPF_RET | unix.BPF_K
)

// An assembler collects a program from its end to its start. BPF jumps only forwards, so in that
// order each target is there before the jump to it.
type assembler struct {
	code []unix.SockFilter // the last instruction of the program first
	// returns are where the return instructions are, the last of each value.
	returns []target
}

// A target is a place to jump to: an index in code, or a return value, for which there is an
// instruction in reach or will be.
type target struct {
	at    int
	ret   uint32
	isRet bool
}

func returnTarget(ret uint32) target { return target{ret: ret, isRet: true} }

func (a *assembler) emit(op uint16, k uint32) {
	a.code = append(a.code, unix.SockFilter{Code: op, K: k})
}

// here is the instruction that was emitted last.
func (a *assembler) here() target { return target{at: len(a.code) - 1} }

// place gives an index for a target that the next but one instruction reaches, by a copy or by a
// jump if it has to.
func (a *assembler) place(t target) int {
	near := func(at int) bool { return len(a.code)+1-at-1 <= maxJump }
	if !t.isRet {
		if !near(t.at) {
			a.emit(opJump, uint32(len(a.code)-t.at-1))
			return len(a.code) - 1
		}
		return t.at
	}
	for i := range a.returns {
		r := &a.returns[i]
		if r.ret == t.ret {
			if !near(r.at) {
				a.emit(opReturn, t.ret)
				r.at = len(a.code) - 1
			}
			return r.at
		}
	}
	a.emit(opReturn, t.ret)
	t.at = len(a.code) - 1
	a.returns = append(a.returns, t)
	return t.at
}

// branch goes to yes if the accumulator is op k, and to no if it isn't. It makes no instruction if
// both are the same.
func (a *assembler) branch(op uint16, k uint32, yes, no target) target {
	if yes == no {
		return yes
	}
	t := a.place(yes)
	f := a.place(no)
	at := len(a.code)
	a.code = append(a.code, unix.SockFilter{Code: op, K: k, Jt: uint8(at - t - 1), Jf: uint8(at - f - 1)})
	return a.here()
}

// load puts a load before target: whoever jumps to it has the 32 bits at offset of struct
// seccomp_data there.
func (a *assembler) load(offset uint32, before target) target {
	a.follow(before)
	a.emit(opLoad, offset)
	return a.here()
}

// follow makes target the next instruction of what is emitted then.
func (a *assembler) follow(t target) {
	switch {
	case t.isRet:
		a.emit(opReturn, t.ret)
	case t.at != len(a.code)-1:
		a.emit(opJump, uint32(len(a.code)-t.at-1))
	}
}

// bytes gives the program in the kernel's form.
func (a *assembler) bytes() []byte {
	b := make([]byte, 0, len(a.code)*sizeofInstruction)
	for i := len(a.code) - 1; i >= 0; i-- {
		in := &a.code[i]
		b = binary.NativeEndian.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = binary.NativeEndian.AppendUint32(b, in.K)
	}
	return b
}
