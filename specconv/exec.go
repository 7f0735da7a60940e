package specconv

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/oncejson"
)

// execSpec is the part of a config.json that another process of the container has to do with.
type execSpec struct {
	Process     *specs.Process    `json:"process"`
	Annotations map[string]string `json:"annotations"`
	Linux       struct {
		Namespaces   []specs.LinuxNamespace   `json:"namespaces"`
		Seccomp      oncejson.Raw             `json:"seccomp"`
		Personality  *specs.LinuxPersonality  `json:"personality"`
		MemoryPolicy *specs.LinuxMemoryPolicy `json:"memoryPolicy"`
		IntelRdt     *specs.LinuxIntelRdt     `json:"intelRdt"`
		MountLabel   string                   `json:"mountLabel"`
		Resources    struct {
			CPU *specs.LinuxCPU `json:"cpu"`
		} `json:"resources"`
	} `json:"linux"`
}

// ParseForExec is Parse for a config that was checked before, without the fields that concern only
// the container's creation: mounts, hooks, limits, mappings. linux.seccomp, which is as long as all
// the rest, is given as it stands; it is empty if there is none.
func ParseForExec(raw []byte) (spec *specs.Spec, seccomp []byte, err error) {
	var e execSpec
	if err := oncejson.DecodePart(raw, &e); err != nil {
		return nil, nil, decodeError(raw, err)
	}
	if seccomp = e.Linux.Seccomp; string(seccomp) == "null" {
		seccomp = nil
	}
	return &specs.Spec{Process: e.Process, Annotations: e.Annotations, Linux: &specs.Linux{
		Namespaces: e.Linux.Namespaces, Personality: e.Linux.Personality, MemoryPolicy: e.Linux.MemoryPolicy,
		IntelRdt: e.Linux.IntelRdt, MountLabel: e.Linux.MountLabel, Resources: &specs.LinuxResources{CPU: e.Linux.Resources.CPU},
	}}, seccomp, nil
}
