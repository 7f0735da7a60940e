package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// seccompData is struct seccomp_data (linux/seccomp.h) as values, whatever the byte order.
type seccompData struct {
	number uint32
	arch   uint32
	args   [6]uint64
}

// word gives the 32 bits at an offset. The kernel stores the fields in its own byte order, which is
// the architecture's.
func (d *seccompData) word(offset uint32, bigEndian bool) uint32 {
	switch offset {
	case 0:
		return d.number
	case 4:
		return d.arch
	}
	argument := (offset - 16) / 8
	if high := (offset%8 == 4) != bigEndian; high {
		return uint32(d.args[argument] >> 32)
	}
	return uint32(d.args[argument])
}

// decode reads the instructions of a filter.
func decode(code []byte) []unix.SockFilter {
	program := make([]unix.SockFilter, 0, len(code)/8)
	for ; len(code) >= 8; code = code[8:] {
		program = append(program, unix.SockFilter{
			Code: binary.NativeEndian.Uint16(code), Jt: code[2], Jf: code[3], K: binary.NativeEndian.Uint32(code[4:]),
		})
	}
	return program
}

// checkProgram applies the kernel's rules (bpf_check_classic in net/core/filter.c,
// seccomp_check_filter in kernel/seccomp.c) as far as they concern the instructions that filters
// are made of. It wants all of them used, too.
func checkProgram(program []unix.SockFilter) error {
	if len(program) == 0 || len(program) > 4096 {
		return fmt.Errorf("%d instructions", len(program))
	}
	reached := make([]bool, len(program))
	reached[0] = true
	reach := func(from, distance int) error {
		if from+distance >= len(program) {
			return fmt.Errorf("instruction %d jumps over the end", from)
		}
		reached[from+distance] = true
		return nil
	}
	for i, in := range program {
		if !reached[i] {
			return fmt.Errorf("instruction %d is never reached", i)
		}
		var err error
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			if in.K%4 != 0 || in.K > 60 {
				return fmt.Errorf("instruction %d loads from %d", i, in.K)
			}
			err = reach(i, 1)
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			err = reach(i, 1)
		case unix.BPF_JMP | unix.BPF_JA:
			err = reach(i, 1+int(in.K))
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K,
			unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			err = errors.Join(reach(i, 1+int(in.Jt)), reach(i, 1+int(in.Jf)))
		case unix.BPF_RET | unix.BPF_K:
		default:
			return fmt.Errorf("instruction %d has code %#x", i, in.Code)
		}
		if err != nil {
			return err
		}
	}
	if last := program[len(program)-1]; last.Code != unix.BPF_RET|unix.BPF_K {
		return fmt.Errorf("the last instruction has code %#x", last.Code)
	}
	return nil
}

// interpret runs a program that checkProgram accepts. It gives the answer and the number of
// instructions it took.
func interpret(program []unix.SockFilter, d *seccompData, bigEndian bool) (ret uint32, steps int) {
	var a uint32
	for pc := 0; ; pc++ {
		in := &program[pc]
		steps++
		taken := false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = d.word(in.K, bigEndian)
			continue
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= in.K
			continue
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K, steps
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			taken = a == in.K
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			taken = a > in.K
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			taken = a >= in.K
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			taken = a&in.K != 0
		}
		if taken {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
}
