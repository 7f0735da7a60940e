package specconv

import (
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/oncejson"
	"oci-run/internal/spelling"
)

var errMissing = errors.New("is missing")

// required are the properties that the specification calls REQUIRED, by the type of their object.
// Decoded, one that is absent could not be told from a zero: no names of system calls, device 0:0,
// a rate of 0, the host's root. Not here is what an option may add (process.cwd of exec) and is
// checked by its value; nor are a user's uid and gid, which are REQUIRED by the text but not by the
// schema, and 0 for runc, crun and those who write for them. TestRequired holds the list against
// the specification's JSON schema.
var required = [...]struct{ object, properties string }{
	{"Spec", "ociVersion"},
	{"Root", "path"},
	{"Mount", "destination"},
	{"Box", "height width"},
	{"POSIXRlimit", "type soft hard"},
	{"Scheduler", "policy"},
	{"LinuxIOPriority", "class priority"},
	{"Hook", "path"},
	{"LinuxNamespace", "type"},
	{"LinuxIDMapping", "containerID hostID size"},
	{"LinuxDevice", "type path major minor"},
	{"LinuxDeviceCgroup", "allow"},
	{"LinuxWeightDevice", "major minor"},
	{"LinuxThrottleDevice", "major minor rate"},
	{"LinuxHugepageLimit", "pageSize limit"},
	{"LinuxInterfacePriority", "name priority"},
	{"LinuxSeccomp", "defaultAction"},
	{"LinuxSyscall", "names action"},
	{"LinuxSeccompArg", "index value op"},
	{"LinuxPersonality", "domain"},
	{"LinuxMemoryPolicy", "mode"},
}

func requiredOf(t reflect.Type) string {
	name := t.Name()
	for i := range required {
		if required[i].object == name {
			return required[i].properties
		}
	}
	return ""
}

// missingError is about the outermost property that has to be there and is not.
func missingError(raw []byte, value any, list []oncejson.Missing) error {
	sortMissing(list)
	for _, m := range list {
		if matters(m, value) {
			return missing(raw, m)
		}
	}
	return nil
}

// sortMissing puts what is missing in the order of place.
func sortMissing(list []oncejson.Missing) {
	sort.SliceStable(list, func(i, j int) bool { return list[i].Object < list[j].Object })
}

// missing is the error for a property that has to be there.
func missing(raw []byte, m oncejson.Missing) error {
	pointer, err := pointerTo(raw, m.Object), errMissing
	if _, ok := m.Holder.(specs.LinuxMemoryPolicy); ok { // the words of other runtimes
		err = fmt.Errorf("invalid memory policy %s: %w", m.Name, err)
	}
	return Field(pointer+Pointer(m.Name), err)
}

// matters knows the exceptions of the specification's text.
func matters(m oncejson.Missing, value any) bool {
	switch holder := m.Holder.(type) {
	case specs.LinuxDevice: // "REQUIRED unless type is p"
		return holder.Type != "p" || m.Name != "major" && m.Name != "minor"
	case specs.LinuxIOPriority: // ioprio_set(2): the class has only one level
		return holder.Class != specs.IOPRIO_CLASS_IDLE || m.Name != "priority"
	case specs.Box: // "Runtimes MUST ignore consoleSize if terminal is false or unset"
		switch v := value.(type) {
		case *specs.Spec:
			return v.Process.Terminal
		case *specs.Process:
			return v.Terminal
		}
	}
	return true
}

// meant is a hint at the property that stands where another is missing and differs by a slip of the
// pen, or is of another time (the name of old seccomp profiles). Names that begin otherwise are not
// near: uid is not a slip for gid.
func meant(raw []byte, pointer string) string {
	slash := strings.LastIndexByte(pointer, '/')
	if slash < 0 {
		return ""
	}
	name := unescapeToken(pointer[slash+1:])
	for c := range children(raw, offsetOf(raw, pointer[:slash])) {
		if c.name != "" && c.name != name && c.name[0]|0x20 == name[0]|0x20 && spelling.Nearest(c.name, []string{name}) != "" {
			return fmt.Sprintf(" (is %q meant?)", c.name)
		}
	}
	return ""
}
