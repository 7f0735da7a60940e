package program

import (
	"encoding/binary"
	"errors"
	"runtime"
	"strconv"
)

const elfMagic = "\x7fELF"

// elfHeader is the part of an ELF header (elf(5)) that tells what a program needs.
type elfHeader struct {
	order     binary.ByteOrder
	wide      bool // ELFCLASS64
	machine   uint16
	phoff     uint64
	phentsize uint16
	phnum     uint16
}

func parseELF(head []byte) (h elfHeader, err error) {
	if len(head) < 52 || string(head[:4]) != elfMagic {
		return h, errors.New("it is too short")
	}
	switch head[5] {
	case 1:
		h.order = binary.LittleEndian
	case 2:
		h.order = binary.BigEndian
	default:
		return h, errors.New("its byte order is unknown")
	}
	h.machine = h.order.Uint16(head[18:])
	switch {
	case head[4] == 1:
		h.phoff = uint64(h.order.Uint32(head[28:]))
		h.phentsize, h.phnum = h.order.Uint16(head[42:]), h.order.Uint16(head[44:])
	case head[4] == 2 && len(head) >= 64:
		h.wide = true
		h.phoff = h.order.Uint64(head[32:])
		h.phentsize, h.phnum = h.order.Uint16(head[54:]), h.order.Uint16(head[56:])
	default:
		return h, errors.New("its class is unknown, or it is too short")
	}
	return h, nil
}

// interp reads program header i. ok is true if it is of type PT_INTERP; its content then has size
// bytes at offset.
func (h *elfHeader) interp(f *file, i int) (offset int64, size uint64, ok bool) {
	const ptInterp = 3
	entry := make([]byte, 32, 56)
	if h.wide {
		entry = entry[:56]
	}
	if !f.readAt(entry, int64(h.phoff+uint64(i)*uint64(h.phentsize))) || h.order.Uint32(entry) != ptInterp {
		return 0, 0, false
	}
	if h.wide {
		return int64(h.order.Uint64(entry[8:])), h.order.Uint64(entry[32:]), true
	}
	return int64(h.order.Uint32(entry[4:])), uint64(h.order.Uint32(entry[16:])), true
}

// machines are the ELF machines that Linux runs on, with Go's name for the one that is native to
// it.
var machines = [...]struct {
	number       uint16
	goarch, name string
}{
	{3, "386", "i386"},
	{8, "mips64le", "MIPS"},
	{20, "ppc", "32-bit PowerPC"},
	{21, "ppc64le", "64-bit PowerPC"},
	{22, "s390x", "s390x"},
	{40, "arm", "32-bit ARM"},
	{43, "sparc64", "SPARC"},
	{62, "amd64", "x86-64"},
	{183, "arm64", "ARM64 (aarch64)"},
	{243, "riscv64", "RISC-V"},
	{258, "loong64", "LoongArch"},
}

func machineName(number uint16) string {
	for i := range machines {
		if machines[i].number == number {
			return machines[i].name
		}
	}
	return "ELF machine " + strconv.Itoa(int(number))
}

// nativeMachine returns the number of the machine that this program is for, or 0.
func nativeMachine() uint16 {
	for i := range machines {
		if machines[i].goarch == runtime.GOARCH {
			return machines[i].number
		}
	}
	return 0
}
