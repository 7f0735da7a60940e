package seccomp

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// maxInstructions is the kernel's limit on one filter (BPF_MAXINSNS).
const maxInstructions = 4096

// retWrongArch answers calls of architectures that the profile does not cover, as libseccomp has
// it.
const retWrongArch = unix.SECCOMP_RET_KILL_THREAD

// Compile checks linux.seccomp of a configuration and makes the filter, with what may surprise the
// author of the profile as warnings. It returns a nil filter for a profile that says nothing: nil,
// or neither a default action nor system calls. The error is a [specconv.FieldError] with the field
// that is wrong: an unknown action, operator, architecture or flag, an errno for an action that has
// none, a listener that is needed and missing, a profile that is too long for the kernel. System
// calls that no Linux has are ignored.
func Compile(s *specs.LinuxSeccomp) (filter *Filter, warnings []string, err error) {
	if s == nil || s.DefaultAction == "" && len(s.Syscalls) == 0 {
		return nil, nil, nil
	}
	p, err := readProfile(s)
	if err != nil {
		return nil, nil, err
	}
	filter = &Filter{}
	if err := filter.readListener(s); err != nil {
		return nil, nil, err
	}
	warnings, err = filter.readFlags(s.Flags)
	if err != nil {
		return nil, nil, err
	}
	code := p.compile()
	if n := len(code) / sizeofInstruction; n > maxInstructions {
		return nil, nil, specconv.Fieldf("/linux/seccomp", "the profile takes %d BPF instructions, of which the kernel allows %d", n, maxInstructions)
	}
	filter.Instructions = code
	// The words are those that runc's users and tests look for.
	log.Debug(fmt.Sprintf("seccomp filter flags: %d", filter.Flags))
	warnings = append(warnings, p.idleRules()...)
	if len(p.unknown) > 0 {
		warnings = append(warnings, "/linux/seccomp/syscalls: there are no such system calls, they are ignored: "+strings.Join(p.unknown, ", "))
	}
	return filter, warnings, nil
}

// readListener sets Notify and what belongs to it.
func (f *Filter) readListener(s *specs.LinuxSeccomp) error {
	if s.ListenerPath == "" && s.ListenerMetadata != "" {
		return specconv.Fieldf("/linux/seccomp/listenerMetadata", "is set without listenerPath")
	}
	for i := range s.Syscalls {
		if s.Syscalls[i].Action == specs.ActNotify {
			if s.ListenerPath == "" {
				return entryField(i, fmt.Errorf("%s needs listenerPath", specs.ActNotify), "action")
			}
			f.Notify = true
			f.Flags |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
			f.ListenerPath, f.ListenerMetadata = s.ListenerPath, s.ListenerMetadata
			break
		}
	}
	return nil
}

// readFlags sets Flags. Without `flags`, even empty ones, SPEC_ALLOW is set: the mitigation that a
// filter otherwise switches on costs more than it is worth since Linux 5.16, which has made this
// its default too.
func (f *Filter) readFlags(names []specs.LinuxSeccompFlag) (warnings []string, err error) {
	if names == nil {
		f.Flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	}
	for i, name := range names {
		pointer := func() string { return specconv.Pointer("linux", "seccomp", "flags", i) }
		known := false
		for _, flag := range flags {
			if flag.name != name {
				continue
			}
			known = true
			switch {
			case name != specs.LinuxSeccompFlagWaitKillableRecv:
			case !f.Notify: // the kernel takes it with a listener only
				warnings = append(warnings, fmt.Sprintf("%s: %s has no effect without %s", pointer(), name, specs.ActNotify))
				continue
			case !kernelAccepts(flag.probe):
				return nil, specconv.Fieldf(pointer(), "%s needs Linux 5.19", name)
			}
			f.Flags |= flag.value
		}
		if !known {
			return nil, specconv.Fieldf(pointer(), "%q is not a flag of seccomp%s", name, spelling.Hint(string(name), KnownFlags()))
		}
	}
	return warnings, nil
}

// idleRules warns of rules that forbid more than others, but never decide, for another names the
// same call without conditions.
func (p *profile) idleRules() []string {
	native := p.architectures[0]
	var first [syscallCount]int32 // the rule that decides alone, plus one
	for _, m := range p.mentions {
		if m.rule >= 0 && first[m.syscall] == 0 && native.always(&p.rules[m.rule]) {
			first[m.syscall] = m.rule + 1
		}
	}
	var warnings []string
	warned := int32(-1)
	for _, m := range p.mentions {
		if m.rule < 0 || m.rule == warned || first[m.syscall] == 0 {
			continue
		}
		idle, decides := &p.rules[m.rule], &p.rules[first[m.syscall]-1]
		if isStricter(idle.ret, decides.ret) {
			warned = m.rule
			warnings = append(warnings, fmt.Sprintf("/linux/seccomp/syscalls/%d: has no effect on %q, which /linux/seccomp/syscalls/%d names without conditions",
				idle.entry, syscallName(int(m.syscall)), decides.entry))
		}
	}
	return warnings
}

// A compiler makes the program for one profile.
type compiler struct {
	assembler
	*verdicts
	// placed is where the code of each block of verdicts is, or at is -1.
	placed []target
}

// compile gives the program: a choice by architecture, then for each architecture a search by
// number, whose leaves are return values and tests of arguments.
func (p *profile) compile() []byte {
	c := &compiler{}
	c.code = make([]unix.SockFilter, 0, 512)
	type section struct {
		audit uint32
		start target
	}
	sections := make([]section, 0, len(p.architectures))
	// The native architecture is first, and its code closest to the start.
	for i := len(p.architectures) - 1; i >= 0; i-- {
		a := p.architectures[i]
		if p.coveredBefore(i) {
			continue
		}
		sections = append(sections, section{a.audit, c.load(offsetNumber, c.numbers(p, a))})
	}
	t := returnTarget(retWrongArch)
	for _, s := range sections {
		t = c.branch(opEqual, s.audit, s.start, t)
	}
	c.load(offsetArch, t)
	return c.bytes()
}

// coveredBefore tells whether an architecture before number i is called the same by the kernel: x32
// and x86_64.
func (p *profile) coveredBefore(i int) bool {
	for _, a := range p.architectures[:i] {
		if a.audit == p.architectures[i].audit {
			return true
		}
	}
	return false
}

// numbers makes the search by number for all ABIs that the kernel calls what it calls a.
func (c *compiler) numbers(p *profile, a *architecture) target {
	if a.audit != unix.AUDIT_ARCH_X86_64 {
		return c.architecture(p, a)
	}
	// x86_64 and x32 are one architecture for the kernel, whose numbers have a bit for x32. That
	// bit is in -1 as well, by which a tracer says that the call is to be skipped.
	native, x32 := returnTarget(retWrongArch), returnTarget(retWrongArch)
	has32 := false
	for _, abi := range p.architectures {
		if abi.name == specs.ArchX32 {
			has32 = true
			x32 = c.architecture(p, abi)
		}
	}
	if !has32 {
		x32 = c.branch(opEqual, ^uint32(0), returnTarget(p.defaultRet), x32)
	}
	for _, abi := range p.architectures {
		if abi.name == specs.ArchX86_64 {
			native = c.architecture(p, abi)
		}
	}
	return c.branch(opNotBelow, x32Bit, x32, native)
}

func (c *compiler) architecture(p *profile, a *architecture) target {
	spans, v := p.judge(a)
	c.verdicts = v
	c.placed = make([]target, len(v.blocks))
	for i := range c.placed {
		c.placed[i].at = -1
	}
	return c.search(leaves(spans))
}
