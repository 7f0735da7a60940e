package process

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/spelling"
	"oci-run/libcontainer/internal/calls"
	"oci-run/specconv"
)

// ioPriorityClasses holds each class's name at its number (include/uapi/linux/ioprio.h); 0 is no
// class.
var ioPriorityClasses = [...]string{
	1: string(specs.IOPRIO_CLASS_RT),
	2: string(specs.IOPRIO_CLASS_BE),
	3: string(specs.IOPRIO_CLASS_IDLE),
}

const (
	ioprioClassShift = 13
	ioprioWhoProcess = 1
)

func planIOPriority(plan *Plan, p *specs.Process, _ *specs.Spec, at string) error {
	if p.IOPriority == nil {
		return nil
	}
	class := index(ioPriorityClasses[:], string(p.IOPriority.Class))
	if class < 0 {
		return specconv.Fieldf(at+"/ioPriority/class", "invalid ioPriority class %q%s", p.IOPriority.Class,
			spelling.Hint(string(p.IOPriority.Class), ioPriorityClasses[1:]))
	}
	if v := p.IOPriority.Priority; v < 0 || v > 7 {
		return specconv.Fieldf(at+"/ioPriority/priority", "invalid ioPriority priority %d: it is not between 0 and 7", v)
	}
	plan.IOPriority = uint32(class<<ioprioClassShift | p.IOPriority.Priority)
	return nil
}

func (p *Plan) addIOPriority(l *calls.List) {
	if p.IOPriority != 0 {
		l.Do(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, uintptr(p.IOPriority)).Explain = p.ioPriorityError
	}
}

func (p *Plan) ioPriorityError(errno unix.Errno) error {
	return specconv.Fieldf(p.At+"/ioPriority", "set I/O priority %s %d: %w",
		ioPriorityClasses[p.IOPriority>>ioprioClassShift], p.IOPriority&(1<<ioprioClassShift-1), errno)
}
