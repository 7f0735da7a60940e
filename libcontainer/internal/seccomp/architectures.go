package seccomp

import (
	"runtime"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// An architecture is one system call ABI: a value of `architectures`.
type architecture struct {
	name  specs.Arch
	audit uint32 // what the kernel reports in seccomp_data.arch
	// goarch is the port of Go whose programs use the ABI: the native one is always part of a
	// filter.
	goarch string
	// base is added to each number of the table.
	base      uint32
	bits32    bool // arguments have 32 bits
	bigEndian bool // their high word comes first
	// newIsZero says that the kernel shows calls that it does not know as number 0: on s390 a
	// number above 255 is passed in a register that is only looked at for svc 0, and stays 0 if it
	// is too high.
	newIsZero bool
	numbers   *[syscallCount]uint16
}

// x32Bit marks the numbers of x32, which shares AUDIT_ARCH_X86_64 with x86_64 (__X32_SYSCALL_BIT).
const x32Bit = 0x40000000

// architectures is sorted by name.
var architectures = [...]architecture{
	{name: specs.ArchAARCH64, audit: unix.AUDIT_ARCH_AARCH64, goarch: "arm64", numbers: &numbersAARCH64},
	{name: specs.ArchARM, audit: unix.AUDIT_ARCH_ARM, goarch: "arm", bits32: true, numbers: &numbersARM},
	{name: specs.ArchLOONGARCH64, audit: unix.AUDIT_ARCH_LOONGARCH64, goarch: "loong64", numbers: &numbersLOONGARCH64},
	{name: specs.ArchM68K, audit: unix.AUDIT_ARCH_M68K, bits32: true, bigEndian: true, numbers: &numbersM68K},
	{name: specs.ArchMIPS, audit: unix.AUDIT_ARCH_MIPS, goarch: "mips", bits32: true, bigEndian: true, numbers: &numbersMIPS},
	{name: specs.ArchMIPS64, audit: unix.AUDIT_ARCH_MIPS64, goarch: "mips64", bigEndian: true, numbers: &numbersMIPS64},
	{name: specs.ArchMIPS64N32, audit: unix.AUDIT_ARCH_MIPS64N32, bits32: true, bigEndian: true, numbers: &numbersMIPS64N32},
	{name: specs.ArchMIPSEL, audit: unix.AUDIT_ARCH_MIPSEL, goarch: "mipsle", bits32: true, numbers: &numbersMIPS},
	{name: specs.ArchMIPSEL64, audit: unix.AUDIT_ARCH_MIPSEL64, goarch: "mips64le", numbers: &numbersMIPS64},
	{name: specs.ArchMIPSEL64N32, audit: unix.AUDIT_ARCH_MIPSEL64N32, bits32: true, numbers: &numbersMIPS64N32},
	{name: specs.ArchPARISC, audit: unix.AUDIT_ARCH_PARISC, bits32: true, bigEndian: true, numbers: &numbersPARISC},
	{name: specs.ArchPARISC64, audit: unix.AUDIT_ARCH_PARISC64, bigEndian: true, numbers: &numbersPARISC64},
	{name: specs.ArchPPC, audit: unix.AUDIT_ARCH_PPC, goarch: "ppc", bits32: true, bigEndian: true, numbers: &numbersPPC},
	{name: specs.ArchPPC64, audit: unix.AUDIT_ARCH_PPC64, goarch: "ppc64", bigEndian: true, numbers: &numbersPPC64},
	{name: specs.ArchPPC64LE, audit: unix.AUDIT_ARCH_PPC64LE, goarch: "ppc64le", numbers: &numbersPPC64},
	{name: specs.ArchRISCV64, audit: unix.AUDIT_ARCH_RISCV64, goarch: "riscv64", numbers: &numbersRISCV64},
	{name: specs.ArchS390, audit: unix.AUDIT_ARCH_S390, bits32: true, bigEndian: true, newIsZero: true, numbers: &numbersS390},
	{name: specs.ArchS390X, audit: unix.AUDIT_ARCH_S390X, goarch: "s390x", bigEndian: true, newIsZero: true, numbers: &numbersS390X},
	{name: specs.ArchSH, audit: unix.AUDIT_ARCH_SHEL, bits32: true, numbers: &numbersSH},
	{name: specs.ArchSHEB, audit: unix.AUDIT_ARCH_SH, bits32: true, bigEndian: true, numbers: &numbersSH},
	// The kernel hands x32 arguments over with 64 bits; the ABI's registers have 32, as libseccomp
	// has it.
	{name: specs.ArchX32, audit: unix.AUDIT_ARCH_X86_64, base: x32Bit, bits32: true, numbers: &numbersX32},
	{name: specs.ArchX86, audit: unix.AUDIT_ARCH_I386, goarch: "386", bits32: true, numbers: &numbersX86},
	{name: specs.ArchX86_64, audit: unix.AUDIT_ARCH_X86_64, goarch: "amd64", numbers: &numbersX86_64},
}

// Archs gives the architectures that a profile may name, sorted.
func Archs() []string {
	names := make([]string, len(architectures))
	for i := range architectures {
		names[i] = string(architectures[i].name)
	}
	return names
}

func lookUpArchitecture(name specs.Arch) *architecture {
	for i := range architectures {
		if architectures[i].name == name {
			return &architectures[i]
		}
	}
	return nil
}

// nativeArchitecture gives the ABI of this program, or nil on a port that has no seccomp.
func nativeArchitecture() *architecture {
	i := slices.IndexFunc(architectures[:], func(a architecture) bool { return a.goarch == runtime.GOARCH })
	if i < 0 {
		return nil
	}
	return &architectures[i]
}

// Offsets in struct seccomp_data (linux/seccomp.h).
const (
	offsetNumber    = 0
	offsetArch      = 4
	offsetArguments = 16
)

// wordOffset gives the place of one half of an argument in struct seccomp_data, whose fields have
// the byte order of the architecture.
func (a *architecture) wordOffset(argument uint8, high bool) uint32 {
	offset := offsetArguments + 8*uint32(argument)
	if high != a.bigEndian {
		offset += 4
	}
	return offset
}
