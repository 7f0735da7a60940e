package netdev

import (
	"errors"
	"os"

	"oci-run/specconv"
)

// Foresee tells which device to move the runtime's network namespace doesn't have. /sys/class/net
// is that of the namespace in which sysfs was mounted, the host's. Errors are a
// *specconv.FieldError.
func Foresee(plan []Device) error {
	for _, d := range plan {
		if _, err := os.Lstat("/sys/class/net/" + d.Name); errors.Is(err, os.ErrNotExist) {
			return specconv.Fieldf(d.pointer(), "there is no network device %q", d.Name)
		}
	}
	return nil
}
