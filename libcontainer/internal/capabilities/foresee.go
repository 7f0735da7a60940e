package capabilities

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// CheckNames finds the first name that Linux doesn't have, of which [NewPlan] only warns. at is the
// JSON pointer of the process. The error is a *specconv.FieldError.
func CheckNames(c *specs.LinuxCapabilities, at string) error {
	if c == nil {
		return nil
	}
	for _, set := range [...]struct {
		name string
		list []string
	}{
		{"bounding", c.Bounding}, {"effective", c.Effective}, {"permitted", c.Permitted}, {"inheritable", c.Inheritable}, {"ambient", c.Ambient},
	} {
		for i, name := range set.list {
			if _, known := Number(name); !known {
				return specconv.Fieldf(at+specconv.Pointer("capabilities", set.name, i), "there is no capability %q%s", name,
					spelling.Hint(name, names[:]))
			}
		}
	}
	return nil
}

// Lacking lists the capabilities of Linux that a set doesn't have: "CAP_SYS_RESOURCE", or "all".
func Lacking(set uint64) string {
	if set&all == 0 {
		return "all"
	}
	return Format(all &^ set)
}
