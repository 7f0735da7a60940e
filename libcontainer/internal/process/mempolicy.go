package process

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/spelling"
	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

// MemoryPolicy is what set_mempolicy(2) gets: Mode with its flags, and the nodes.
type MemoryPolicy struct {
	Mode  int
	Nodes CPUSet
}

// Which number of nodes a memory policy wants.
const (
	noNodes = iota
	anyNodes
	someNodes
)

// memoryModes are the modes of set_mempolicy(2).
var memoryModes = [...]struct {
	name  specs.MemoryPolicyModeType
	value int
	nodes int
}{
	{specs.MpolDefault, unix.MPOL_DEFAULT, noNodes},
	{specs.MpolPreferred, unix.MPOL_PREFERRED, anyNodes},
	{specs.MpolBind, unix.MPOL_BIND, someNodes},
	{specs.MpolInterleave, unix.MPOL_INTERLEAVE, someNodes},
	{specs.MpolLocal, unix.MPOL_LOCAL, noNodes},
	{specs.MpolPreferredMany, unix.MPOL_PREFERRED_MANY, someNodes},
	{specs.MpolWeightedInterleave, unix.MPOL_WEIGHTED_INTERLEAVE, someNodes},
}

// memoryFlags are the mode flags of set_mempolicy(2).
var memoryFlags = [...]struct {
	name  specs.MemoryPolicyFlagType
	value int
}{
	{specs.MpolFStaticNodes, unix.MPOL_F_STATIC_NODES},
	{specs.MpolFRelativeNodes, unix.MPOL_F_RELATIVE_NODES},
	{specs.MpolFNumaBalancing, unix.MPOL_F_NUMA_BALANCING},
}

// MemoryPolicyModes lists the modes that linux.memoryPolicy may name.
func MemoryPolicyModes() (names []string) {
	for i := range memoryModes {
		names = append(names, string(memoryModes[i].name))
	}
	return names
}

// MemoryPolicyFlags lists the flags that linux.memoryPolicy may name.
func MemoryPolicyFlags() (names []string) {
	for i := range memoryFlags {
		names = append(names, string(memoryFlags[i].name))
	}
	return names
}

func planMemoryPolicy(plan *Plan, _ *specs.Process, spec *specs.Spec, _ string) error {
	if spec.Linux == nil || spec.Linux.MemoryPolicy == nil {
		return nil
	}
	const at = "/linux/memoryPolicy"
	asked := spec.Linux.MemoryPolicy
	mode := memoryMode(asked.Mode)
	if mode < 0 {
		return specconv.Fieldf(at+"/mode", "invalid memory policy mode %q%s", asked.Mode,
			spelling.Hint(string(asked.Mode), MemoryPolicyModes()))
	}
	nodes, err := parseCPUSet(asked.Nodes)
	if err != nil {
		return specconv.Fieldf(at+"/nodes", "invalid memory policy nodes %q: %w", asked.Nodes, err)
	}
	policy := MemoryPolicy{Mode: memoryModes[mode].value, Nodes: nodes}
	for i, name := range asked.Flags {
		flag := memoryFlag(name)
		if flag == 0 {
			return specconv.Fieldf(specconv.Pointer("linux", "memoryPolicy", "flags", i), "invalid memory policy flag %q%s", name,
				spelling.Hint(string(name), MemoryPolicyFlags()))
		}
		policy.Mode |= flag
	}
	switch want, count := memoryModes[mode].nodes, nodes.Count(); {
	case want == noNodes && count != 0:
		return specconv.Fieldf(at+"/nodes", "invalid memory policy: %s mode requires 0 nodes but got %d", asked.Mode, count)
	case want == someNodes && count == 0:
		return specconv.Fieldf(at+"/nodes", "invalid memory policy: %s mode requires at least one node but got 0", asked.Mode)
	}
	if both := unix.MPOL_F_STATIC_NODES | unix.MPOL_F_RELATIVE_NODES; policy.Mode&both == both {
		return specconv.Fieldf(at+"/flags", "invalid memory policy flags: %s and %s exclude each other",
			specs.MpolFStaticNodes, specs.MpolFRelativeNodes)
	}
	plan.MemoryPolicy = &policy
	return nil
}

func memoryMode(name specs.MemoryPolicyModeType) int {
	for i := range memoryModes {
		if memoryModes[i].name == name {
			return i
		}
	}
	return -1
}

func memoryFlag(name specs.MemoryPolicyFlagType) int {
	for i := range memoryFlags {
		if memoryFlags[i].name == name {
			return memoryFlags[i].value
		}
	}
	return 0
}

// addMemoryPolicy sets the NUMA memory policy, which survives execve.
func (p *Plan) addMemoryPolicy(l *calls.List) {
	m := p.MemoryPolicy
	if m == nil {
		return
	}
	set := l.Do(unix.SYS_SET_MEMPOLICY, uintptr(m.Mode))
	set.Explain = m.failure
	if len(m.Nodes) > 0 {
		set.Args[1], set.Args[2] = l.Words(m.Nodes...), m.maxnode()
	}
}

// maxnode is one more than there are bits: the kernel looks at one less than it says
// (set_mempolicy(2), BUGS in get_mempolicy(2)).
func (m *MemoryPolicy) maxnode() uintptr { return uintptr(len(m.Nodes)*64 + 1) }

func (m *MemoryPolicy) failure(errno unix.Errno) error {
	hint := ""
	if has, err := files.Read("/sys/devices/system/node/online"); err == nil && errno == unix.EINVAL {
		hint = " (this machine has the memory nodes " + strings.TrimSpace(string(has)) + ")"
	}
	return specconv.Fieldf("/linux/memoryPolicy", "set memory policy %#x for nodes %q: %w%s", m.Mode, m.Nodes.list(), errno, hint)
}
