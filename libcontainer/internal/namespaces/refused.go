package namespaces

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// Blame finds the new namespace that the kernel refused, among those of list whose flags are in
// refused: it tries each kind on its own, by make, which gives the errno of flags. It returns nil
// if none of them is refused with the same errno, so that all of them together are.
func Blame(list []specs.LinuxNamespace, refused uintptr, errno unix.Errno, try func(flags uintptr) error) error {
	user := refused & unix.CLONE_NEWUSER // owns the others: they are made along with it
	if user != 0 && errors.Is(try(user), errno) {
		refused = user
	}
	for i, ns := range list {
		k, found := Lookup(ns.Type)
		if !found || ns.Path != "" || k.Flag&refused == 0 || refused != user && k.Flag == user {
			continue
		}
		if k.Flag == refused || errors.Is(try(k.Flag|user), errno) {
			return specconv.Field(specconv.Pointer("linux", "namespaces", i), k.Refused(errno))
		}
	}
	return nil
}

// Refused says what the kernel means by an errno for a new namespace of this kind, clone(2) and
// namespaces(7).
func (k Kind) Refused(errno unix.Errno) error {
	why := ""
	switch {
	case errno == unix.ENOSPC:
		why = k.full()
	case errno == unix.EPERM && k.Flag == unix.CLONE_NEWUSER:
		why = WhyNoUser()
	case errno == unix.EPERM:
		why = "a seccomp filter or a security module around the runtime refuses it"
	case errno == unix.EINVAL && !k.Supported():
		why = "the kernel has none"
	}
	if why != "" {
		why = " (" + why + ")"
	}
	return fmt.Errorf("make %s namespace: %w%s", k.Type, errno, why)
}

// full says which limit ENOSPC is about. Limits of outer user namespaces hold too, and can't be
// seen from here; pid and user namespaces may be nested 32 deep.
func (k Kind) full() string {
	limit, ok := k.Limit()
	switch {
	case !ok:
		return "a limit is reached"
	case limit == "0":
		return k.limitFile() + " is 0"
	}
	nested := ""
	if k.Flag&(unix.CLONE_NEWPID|unix.CLONE_NEWUSER) != 0 {
		nested = ", or 32 are nested in one another"
	}
	return fmt.Sprintf("the limit of %s in %s is reached, or a lower one of an outer user namespace%s", limit, k.limitFile(), nested)
}

// WhyNoUser says what refuses a user namespace, which takes no privilege by itself.
func WhyNoUser() string {
	if setting := Restricted(); setting != "" && unix.Geteuid() != 0 {
		return setting
	}
	return "user namespaces are refused under chroot(2), by a security module or by a seccomp filter around the runtime"
}
