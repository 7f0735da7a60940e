// Package sysctl sets the kernel parameters of linux.sysctl.
//
// A parameter is only accepted if it belongs to a namespace that the container has for itself:
// /proc/sys shows those of the whole machine beside them. Check is called by the parent, Apply by
// init, in the container's namespaces.
package sysctl

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/specconv"
)

// owner says which namespace a parameter belongs to. A name that ends in a slash stands for all
// below it.
type owner struct {
	path string
	kind specs.LinuxNamespaceType
}

// owners is sorted by path. The ipc entries are the kernel's ipc/ipc_sysctl.c and ipc/mq_sysctl.c,
// the uts entries kernel/utsname_sysctl.c; net and user are namespaced as a whole, the kernel hides
// what is not.
var owners = [...]owner{
	{"fs/mqueue/", specs.IPCNamespace},
	{"kernel/auto_msgmni", specs.IPCNamespace},
	{"kernel/domainname", specs.UTSNamespace},
	{"kernel/hostname", specs.UTSNamespace},
	{"kernel/msg_next_id", specs.IPCNamespace},
	{"kernel/msgmax", specs.IPCNamespace},
	{"kernel/msgmnb", specs.IPCNamespace},
	{"kernel/msgmni", specs.IPCNamespace},
	{"kernel/sem", specs.IPCNamespace},
	{"kernel/sem_next_id", specs.IPCNamespace},
	{"kernel/shm_next_id", specs.IPCNamespace},
	{"kernel/shm_rmid_forced", specs.IPCNamespace},
	{"kernel/shmall", specs.IPCNamespace},
	{"kernel/shmmax", specs.IPCNamespace},
	{"kernel/shmmni", specs.IPCNamespace},
	{"net/", specs.NetworkNamespace},
	{"user/", specs.UserNamespace},
}

// ownerOf finds the namespace of a parameter, given by its path below /proc/sys.
func ownerOf(path string) (kind specs.LinuxNamespaceType, found bool) {
	for _, o := range owners {
		if path == o.path || strings.HasSuffix(o.path, "/") && strings.HasPrefix(path, o.path) {
			return o.kind, true
		}
	}
	return "", false
}

// Check tells whether all of linux.sysctl can be set in the container's namespaces. Errors are a
// *specconv.FieldError.
func Check(spec *specs.Spec) error {
	if spec.Linux == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(spec.Linux.Sysctl)) {
		if err := check(spec, key, spec.Linux.Sysctl[key]); err != nil {
			return specconv.Field(specconv.Pointer("linux", "sysctl", key), err)
		}
	}
	return nil
}

func check(spec *specs.Spec, key, value string) error {
	path, err := pathOf(key)
	if err != nil {
		return err
	}
	if err := checkValue(value); err != nil {
		return err
	}
	kind, found := ownerOf(path)
	if !found {
		return fmt.Errorf("sysctl %q is not namespaced, it would change the whole machine", key)
	}
	if err := checkPrivate(spec.Linux.Namespaces, key, kind); err != nil {
		return err
	}
	return checkNames(spec, path, key, value)
}

// checkPrivate wants a namespace that is not the runtime's. Joining that by path is not enough for
// net: engines do so for the host's network.
func checkPrivate(list []specs.LinuxNamespace, key string, kind specs.LinuxNamespaceType) error {
	ns, found := namespaces.Find(list, kind)
	if !found {
		return fmt.Errorf("sysctl %q needs a namespace of type %s, the container has the host's", key, kind)
	}
	if ns.Path == "" {
		return nil
	}
	k, _ := namespaces.Lookup(kind)
	own, err := k.IsOwn(ns.Path)
	if err != nil {
		return err
	}
	if own {
		return fmt.Errorf("sysctl %q needs a namespace of type %s, %q is the host's", key, kind, ns.Path)
	}
	return nil
}

// checkNames refuses to have two fields set one name. The host name has a field of its own, which
// every runtime takes, and as a sysctl it is refused by runc and crun. The domain name got its
// field only with runtime-spec 1.1: as a sysctl it is in use (docker run --domainname), and refused
// where the field says something else.
func checkNames(spec *specs.Spec, path, key, value string) error {
	switch {
	case path == "kernel/hostname":
		return fmt.Errorf("sysctl %q is set by the field /hostname only", key)
	case path == "kernel/domainname" && spec.Domainname != "" && spec.Domainname != value:
		return fmt.Errorf("sysctl %q is %q, but /domainname is %q", key, value, spec.Domainname)
	}
	return nil
}

// maxValue is what fits in a page, the most that a handler in the kernel is sure to take at once.
const maxValue = 4095

// checkValue refuses a value that would not be written as it stands.
func checkValue(value string) error {
	if strings.ContainsAny(value, "\x00\n") {
		return fmt.Errorf("value %q has a newline or a NUL byte in it", value)
	}
	if len(value) > maxValue {
		return fmt.Errorf("value of %d bytes is longer than %d", len(value), maxValue)
	}
	return nil
}

var errKey = errors.New("is not the name of a parameter")

// pathOf converts a key to a path below /proc/sys. As in sysctl(8), the first separator decides: in
// "net.ipv4.conf.eno2/1.mtu" dots separate and a slash stands for a dot within a name;
// "net/ipv4/conf/eno2.1/mtu" is a path already.
func pathOf(key string) (string, error) {
	path := key
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '.' {
		path = swapSeparators(key)
	}
	for name := range strings.SplitSeq(path, "/") {
		// An empty name covers a leading, a trailing and a double separator.
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "\x00\n") {
			return "", fmt.Errorf("%q %w", key, errKey)
		}
	}
	return path, nil
}

// swapSeparators goes byte by byte: a name need not be UTF-8.
func swapSeparators(key string) string {
	path := []byte(key)
	for i, c := range path {
		switch c {
		case '.':
			path[i] = '/'
		case '/':
			path[i] = '.'
		}
	}
	return string(path)
}

// Apply writes the parameters in the order of their names. proc is the root of a procfs that
// nothing can be mounted over, and not one with subset=pid, for that has no sys. The caller is in
// the container's namespaces: whose parameters a file of /proc/sys stands for is decided by who
// opens it.
func Apply(proc *os.File, sysctl map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(sysctl)) {
		if err := write(proc, key, sysctl[key]); err != nil {
			return specconv.Fieldf(specconv.Pointer("linux", "sysctl", key), "set sysctl %q to %q: %w", key, sysctl[key], err)
		}
	}
	return nil
}

func write(proc *os.File, key, value string) error {
	path, err := pathOf(key)
	if err != nil {
		return err
	}
	const how = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV
	fd, err := linux.Openat2(int(proc.Fd()), "sys/"+path, unix.O_WRONLY|unix.O_NOCTTY, 0, how)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if value == "" {
		value = "\n" // a write of nothing would not reach the handler, and not empty the parameter
	}
	return writeOnce(fd, value)
}

// writeOnce: each write(2) to a parameter is a value of its own, so a rest can't be written
// afterwards.
func writeOnce(fd int, value string) error {
	for {
		n, err := unix.Write(fd, []byte(value))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n < len(value):
			return fmt.Errorf("only %d of %d bytes were taken", n, len(value))
		}
		return nil
	}
}
