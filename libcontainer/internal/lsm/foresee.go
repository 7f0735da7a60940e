package lsm

import (
	"strings"

	"oci-run/internal/files"
	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// Foresee tells whether a plan's AppArmor profile is loaded, where the caller may read which are.
// at is the JSON pointer of the process. An error is a *specconv.FieldError.
func (p *Plan) Foresee(at string) error {
	if p.AppArmor == "" || p.AppArmor == unconfined {
		return nil
	}
	text, err := files.Read("/sys/kernel/security/apparmor/profiles")
	if err != nil {
		return nil // only root may
	}
	var loaded []string
	for line := range strings.Lines(string(text)) { // NAME (MODE)
		name, _, _ := strings.Cut(strings.TrimSpace(line), " (")
		if name == p.AppArmor {
			return nil
		}
		loaded = append(loaded, name)
	}
	return specconv.Fieldf(at+"/apparmorProfile", "AppArmor profile %q is not loaded%s", p.AppArmor, spelling.Hint(p.AppArmor, loaded))
}

// Modules lists the security modules that the kernel has enabled, as it does:
// "capability,apparmor". It is "" where securityfs isn't mounted.
func Modules() string {
	text, err := files.Read("/sys/kernel/security/lsm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
