package seccomp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// maxArguments is the number of arguments of a system call.
const maxArguments = 6

// maxErrno is what the kernel makes of greater errnos (MAX_ERRNO, linux/err.h).
const maxErrno = 4095

// A condition compares one argument. For maskedEqual, value is masked already and mask says which
// bits count.
type condition struct {
	argument   uint8
	comparison comparison
	value      uint64
	mask       uint64
}

// A rule is what one entry of `syscalls` says of each of its names: if one of the alternatives
// holds, or there is none, the system call gets ret. An alternative holds if all its conditions do.
type rule struct {
	entry        int // its index in `syscalls`
	ret          uint32
	alternatives [][]condition
}

// A profile is linux.seccomp after the check: names looked up, only rules that differ from the
// default.
type profile struct {
	architectures []*architecture
	defaultRet    uint32
	rules         []rule
	mentions      []mention
	unknown       []string // names that no Linux has, as far as we know
}

// A mention is one name in the list of an entry of `syscalls`.
type mention struct {
	syscall uint16 // index of the name
	rule    int32  // index in rules, or -1: the rule says no more than the default
}

// readProfile checks all of linux.seccomp but its flags and listener.
func readProfile(s *specs.LinuxSeccomp) (*profile, error) {
	ret, field, err := returnValue(s.DefaultAction, s.DefaultErrnoRet)
	if err != nil {
		if field == "errnoRet" {
			return nil, specconv.Field("/linux/seccomp/defaultErrnoRet", err)
		}
		return nil, specconv.Field("/linux/seccomp/defaultAction", err)
	}
	if ret == unix.SECCOMP_RET_USER_NOTIF {
		// That would cover write as well, see readEntry.
		return nil, specconv.Fieldf("/linux/seccomp/defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action")
	}
	p := &profile{defaultRet: ret, rules: make([]rule, 0, len(s.Syscalls))}
	if err := p.readArchitectures(s.Architectures); err != nil {
		return nil, err
	}
	names := 0
	for i := range s.Syscalls {
		names += len(s.Syscalls[i].Names)
	}
	p.mentions = make([]mention, 0, names)
	for i := range s.Syscalls {
		if err := p.readEntry(i, &s.Syscalls[i]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// returnValue gives what a filter returns to the kernel for an action. With an error, it says which
// field is wrong.
func returnValue(name specs.LinuxSeccompAction, errnoRet *uint) (ret uint32, field string, err error) {
	for i := range actions {
		a := &actions[i]
		switch {
		case a.name != name:
		case !a.takesErrno && errnoRet != nil:
			return 0, "errnoRet", fmt.Errorf("action %s has no errno", name)
		case !a.takesErrno:
			return a.ret, "", nil
		case errnoRet == nil:
			return a.ret | uint32(unix.EPERM), "", nil
		case *errnoRet > maxErrno:
			return 0, "errnoRet", fmt.Errorf("errno %d is greater than %d", *errnoRet, maxErrno)
		default:
			return a.ret | uint32(*errnoRet), "", nil
		}
	}
	return 0, "action", fmt.Errorf("%q is not an action of seccomp%s", name, spelling.Hint(string(name), Actions()))
}

// readArchitectures puts the native architecture first, which a filter covers even if the profile
// does not name it.
func (p *profile) readArchitectures(names []specs.Arch) error {
	p.architectures = make([]*architecture, 0, len(names)+1)
	if native := nativeArchitecture(); native != nil {
		p.architectures = append(p.architectures, native)
	}
	for i, name := range names {
		a := lookUpArchitecture(name)
		if a == nil {
			return specconv.Fieldf(specconv.Pointer("linux", "seccomp", "architectures", i), "%q is not an architecture of seccomp%s", name,
				meantBy(string(name), Archs(), architectureNames[:]))
		}
		if !slices.Contains(p.architectures, a) {
			p.architectures = append(p.architectures, a)
		}
	}
	return nil
}

// Other names of architectures and operators, and what the specification calls them.
var (
	architectureNames = [...][2]string{
		{"amd64", "SCMP_ARCH_X86_64"}, {"arm64", "SCMP_ARCH_AARCH64"}, {"386", "SCMP_ARCH_X86"}, {"i386", "SCMP_ARCH_X86"},
		{"i686", "SCMP_ARCH_X86"}, {"armhf", "SCMP_ARCH_ARM"}, {"loong64", "SCMP_ARCH_LOONGARCH64"},
	}
	operatorNames = [...][2]string{
		{"==", "SCMP_CMP_EQ"}, {"=", "SCMP_CMP_EQ"}, {"!=", "SCMP_CMP_NE"}, {"<", "SCMP_CMP_LT"}, {"<=", "SCMP_CMP_LE"},
		{">", "SCMP_CMP_GT"}, {">=", "SCMP_CMP_GE"}, {"&", "SCMP_CMP_MASKED_EQ"},
	}
)

// meantBy is spelling.Hint for names that are known by others too.
func meantBy(unknown string, names []string, others [][2]string) string {
	for _, o := range others {
		if strings.EqualFold(o[0], unknown) {
			unknown = strings.ToLower(o[1])
		}
	}
	return spelling.Hint(unknown, names)
}

// entryField makes err an error about a field of an entry of `syscalls`.
func entryField(entry int, err error, field ...any) error {
	return specconv.Field(specconv.Pointer("linux", "seccomp", "syscalls", entry)+specconv.Pointer(field...), err)
}

func (p *profile) readEntry(index int, s *specs.LinuxSyscall) error {
	ret, field, err := returnValue(s.Action, s.ErrnoRet)
	if err != nil {
		return entryField(index, err, field)
	}
	alternatives, err := readConditions(index, s.Args)
	if err != nil {
		return err
	}
	if len(s.Names) == 0 {
		return entryField(index, errNoNames, "names")
	}
	number := int32(-1)
	if ret != p.defaultRet {
		number = int32(len(p.rules))
		p.rules = append(p.rules, rule{index, ret, alternatives})
	}
	for i, name := range s.Names {
		if ret == unix.SECCOMP_RET_USER_NOTIF && name == "write" {
			// The words are runc's, which cannot hand the listener over without write.
			return entryField(index, errNotifyWrite, "names", i)
		}
		syscall, known := lookUpSyscall(name)
		if known {
			p.mentions = append(p.mentions, mention{uint16(syscall), number})
			continue
		}
		if name == "" {
			return entryField(index, errNoName, "names", i)
		}
		p.unknown = append(p.unknown, name)
	}
	return nil
}

var (
	errNotifyWrite = errors.New("SCMP_ACT_NOTIFY cannot be used for the write syscall")
	errNoNames     = errors.New("must have at least one entry")
	errNoName      = errors.New("the name of a system call is empty")
)

// readConditions gives the alternatives of an entry. Conditions on different arguments must all
// hold. If two are on the same argument, each condition of the entry is an alternative of its own,
// as it always was in runc, whose first libseccomp knew no other way.
func readConditions(entry int, args []specs.LinuxSeccompArg) ([][]condition, error) {
	if len(args) == 0 {
		return nil, nil
	}
	conditions := make([]condition, len(args))
	var seen [maxArguments]bool
	repeated := false
	for i := range args {
		c, field, err := readCondition(&args[i])
		if err != nil {
			return nil, entryField(entry, err, "args", i, field)
		}
		conditions[i] = c
		repeated = repeated || seen[c.argument]
		seen[c.argument] = true
	}
	if !repeated {
		return [][]condition{conditions}, nil
	}
	alternatives := make([][]condition, len(conditions))
	for i := range conditions {
		alternatives[i] = conditions[i : i+1]
	}
	return alternatives, nil
}

// readCondition checks one element of `args`. With an error, it says which field is wrong.
func readCondition(arg *specs.LinuxSeccompArg) (c condition, field string, err error) {
	if arg.Index >= maxArguments {
		return c, "index", fmt.Errorf("index %d: a system call has %d arguments", arg.Index, maxArguments)
	}
	for i := range operators {
		if operators[i].name != arg.Op {
			continue
		}
		c = condition{uint8(arg.Index), operators[i].comparison, arg.Value, ^uint64(0)}
		if c.comparison == maskedEqual {
			c.mask, c.value = arg.Value, arg.ValueTwo&arg.Value
		}
		return c, "", nil
	}
	return c, "op", fmt.Errorf("%q is not an operator of seccomp%s", arg.Op, meantBy(string(arg.Op), Operators(), operatorNames[:]))
}
