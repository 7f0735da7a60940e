package cgroups

import (
	"maps"
	"slices"
	"strings"

	"oci-run/libcontainer/internal/cgroups/systemd"
	"oci-run/specconv"
)

// annotationPrefix begins the names of annotations that give the scope unit a property (runc's and
// crun's extension).
const annotationPrefix = "org.systemd.property."

// annotated are the properties that an annotation may set, sorted: limits
// (systemd.resource-control(5)), how the unit is killed (systemd.kill(5), systemd.scope(5)), its
// order among units and what is shown of it. Everything else would be a way for a configuration to
// make systemd do other things than hold this container.
var annotated = [...]string{
	"AddRef", "After", "AllowedCPUs", "AllowedMemoryNodes", "Before", "CPUAccounting", "CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec", "CPUWeight",
	"CollectMode", "DefaultMemoryLow", "DefaultMemoryMin", "Description", "Documentation", "FinalKillSignal", "IOAccounting", "IOWeight",
	"IPAccounting", "KillMode", "KillSignal", "ManagedOOMMemoryPressure", "ManagedOOMPreference", "ManagedOOMSwap", "MemoryAccounting",
	"MemoryHigh", "MemoryLow", "MemoryMax", "MemoryMin", "MemorySwapMax", "MemoryZSwapMax", "OOMPolicy", "RestartKillSignal",
	"RuntimeMaxUSec", "RuntimeRandomizedExtraUSec", "SendSIGHUP", "SendSIGKILL", "StartupCPUWeight", "StartupIOWeight",
	"StopWhenUnneeded", "TasksAccounting", "TasksMax", "TimeoutStopUSec",
}

// annotatedProperties reads the properties that annotations ask for, in the order of their keys. A
// name that ends in Sec, as in unit files, is taken for the one in microseconds that D-Bus has. The
// error is a *specconv.FieldError.
func annotatedProperties(annotations map[string]string) ([]systemd.Property, error) {
	var out []systemd.Property
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ok := strings.CutPrefix(key, annotationPrefix)
		if !ok {
			continue
		}
		at := specconv.Pointer("annotations", key)
		value, err := systemd.ParseValue(annotations[key])
		if err != nil {
			return nil, specconv.Field(at, err)
		}
		if unit, ok := strings.CutSuffix(name, "Sec"); ok && unit != "" && 'a' <= unit[len(unit)-1] && unit[len(unit)-1] <= 'z' {
			name = unit + "USec"
			if value, err = systemd.Microseconds(value); err != nil {
				return nil, specconv.Field(at, err)
			}
		}
		if _, ok := slices.BinarySearch(annotated[:], name); !ok {
			return nil, specconv.Fieldf(at, "an annotation may not set systemd property %q", name)
		}
		out = append(out, systemd.Property{Name: name, Value: value, At: at})
	}
	return out, nil
}
