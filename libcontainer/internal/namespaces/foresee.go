package namespaces

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/files"
	"oci-run/specconv"
)

// Foresee tells which new namespace of a list the caller can't make: one that the kernel doesn't
// have, that a limit forbids, or that takes a privilege. privileged says that the caller has
// CAP_SYS_ADMIN. It is nil if all can be made. Errors are a *specconv.FieldError.
func Foresee(list []specs.LinuxNamespace, privileged bool) error {
	if err := Missing(list); err != nil {
		return err
	}
	_, user := Find(list, specs.UserNamespace)
	for i, ns := range list {
		k, found := Lookup(ns.Type)
		if !found || ns.Path != "" {
			continue
		}
		at := specconv.Pointer("linux", "namespaces", i)
		if limit, ok := k.Limit(); ok && limit == "0" {
			return specconv.Fieldf(at, "no %s namespace may be made: %s is 0", ns.Type, k.limitFile())
		}
		if ns.Type == specs.UserNamespace && !privileged {
			if why := Restricted(); why != "" {
				return specconv.Fieldf(at, "an ordinary user may not make a user namespace: %s", why)
			}
		}
	}
	if !privileged && !user && len(list) > 0 {
		return specconv.Fieldf("/linux/namespaces", "an ordinary user can only make namespaces along with a user namespace: add {\"type\": \"user\"}, "+
			"and uidMappings and gidMappings (oci-run spec --rootless writes them)")
	}
	return nil
}

// Limit is how many namespaces of this kind a user may have (namespaces(7), /proc/sys/user). ok is
// false if the kernel has no such limit.
func (k Kind) Limit() (limit string, ok bool) {
	text, err := files.Read(k.limitFile())
	return strings.TrimSpace(string(text)), err == nil
}

func (k Kind) limitFile() string { return "/proc/sys/user/max_" + k.Proc + "_namespaces" }

// restrictions are settings by which distributions keep ordinary users from making user namespaces,
// and the value that does so: that of Debian's kernels, and that of Ubuntu's AppArmor.
var restrictions = [...]struct{ file, value string }{
	{"/proc/sys/kernel/unprivileged_userns_clone", "0"},
	{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"},
}

// Restricted names the setting that keeps ordinary users from making user namespaces, or is "".
func Restricted() string {
	for _, r := range restrictions {
		if text, err := files.Read(r.file); err == nil && strings.TrimSpace(string(text)) == r.value {
			return fmt.Sprintf("%s is %s", r.file, r.value)
		}
	}
	return ""
}
