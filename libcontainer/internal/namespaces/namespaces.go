// Package namespaces knows the eight kinds of namespaces: their names in the specification, in
// clone(2) and in /proc. It opens those that are given by path, and tells whether they are what
// they should be.
//
// The parent uses it before it forks; nothing here changes the namespaces of the process.
package namespaces

import (
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// Kind is one kind of namespaces.
type Kind struct {
	// Type is its name in linux.namespaces[].type.
	Type specs.LinuxNamespaceType
	// Flag is its CLONE_NEW… bit, for clone3(2), unshare(2) and setns(2).
	Flag uintptr
	// Proc is its file in /proc/PID/ns. (For pid and time that is the process's own; what its
	// children will be in is in pid_for_children and time_for_children.)
	Proc string
}

// Kinds lists them in the order in which they are joined.
//
// A namespace can be joined with CAP_SYS_ADMIN in the user namespace that owns it, which may be the
// one that the caller is in or the one that it joins. So all but user are tried first, then user,
// then again those that were refused with EPERM. The mount namespace comes last of the first group:
// behind it no path of the host means anything.
var Kinds = [...]Kind{
	{specs.CgroupNamespace, unix.CLONE_NEWCGROUP, "cgroup"},
	{specs.IPCNamespace, unix.CLONE_NEWIPC, "ipc"},
	{specs.UTSNamespace, unix.CLONE_NEWUTS, "uts"},
	{specs.NetworkNamespace, unix.CLONE_NEWNET, "net"},
	{specs.PIDNamespace, unix.CLONE_NEWPID, "pid"},
	{specs.TimeNamespace, unix.CLONE_NEWTIME, "time"},
	{specs.MountNamespace, unix.CLONE_NEWNS, "mnt"},
	{specs.UserNamespace, unix.CLONE_NEWUSER, "user"},
}

// Lookup finds a kind by its name in the specification.
func Lookup(t specs.LinuxNamespaceType) (k Kind, found bool) {
	for _, k := range Kinds {
		if k.Type == t {
			return k, true
		}
	}
	return Kind{}, false
}

// Names lists the specification's names of the kinds, sorted, for the document that `features`
// prints.
func Names() []string {
	return []string{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}
}

// Find gives the entry of a type in linux.namespaces.
func Find(list []specs.LinuxNamespace, t specs.LinuxNamespaceType) (ns specs.LinuxNamespace, found bool) {
	for _, ns := range list {
		if ns.Type == t {
			return ns, true
		}
	}
	return specs.LinuxNamespace{}, false
}

// Check refuses types that don't exist. Package specconv finds duplicates and relative paths.
func Check(list []specs.LinuxNamespace) error {
	for i, ns := range list {
		if _, found := Lookup(ns.Type); !found {
			return specconv.Fieldf(specconv.Pointer("linux", "namespaces", i, "type"), "namespace type %q is not known%s", ns.Type,
				meant(string(ns.Type)))
		}
	}
	return nil
}

// meant is a hint at the type that was meant by one that doesn't exist: the name that /proc/PID/ns
// has for it, perhaps.
func meant(unknown string) string {
	switch unknown {
	case "mnt":
		unknown = "Mount"
	case "net":
		unknown = "Network"
	}
	return spelling.Hint(unknown, Names())
}

// Missing names the first of the new namespaces in list that the running kernel was built without,
// for whom the kernel gave EINVAL. To ask beforehand takes longer than to make most of them.
func Missing(list []specs.LinuxNamespace) error {
	for i, ns := range list {
		if k, found := Lookup(ns.Type); found && ns.Path == "" && !k.Supported() {
			return specconv.Fieldf(specconv.Pointer("linux", "namespaces", i, "type"), "the kernel has no %s namespaces", ns.Type)
		}
	}
	return nil
}

// Supported tells whether the running kernel has this kind.
func (k Kind) Supported() bool {
	return unix.Access(k.self(), unix.F_OK) == nil
}

// self is the runtime's own namespace of this kind.
func (k Kind) self() string { return "/proc/self/ns/" + k.Proc }

// CloneFlags gives the flags of the namespaces in list that are to be created, those without a
// path.
func CloneFlags(list []specs.LinuxNamespace) uintptr {
	var flags uintptr
	for _, ns := range list {
		if k, found := Lookup(ns.Type); found && ns.Path == "" {
			flags |= k.Flag
		}
	}
	return flags
}

// Joined is an open namespace that was given by path.
type Joined struct {
	Kind Kind
	File *os.File
}

// Open opens all namespaces in list that have a path, in the order of Kinds, and verifies that each
// is of its kind. They have to be open before the first is joined: behind another mount or user
// namespace the paths may lead elsewhere. The caller closes the files. Errors are a
// *specconv.FieldError.
func Open(list []specs.LinuxNamespace) (joined []Joined, err error) {
	defer func() {
		if err != nil {
			Close(joined)
			joined = nil
		}
	}()
	for _, k := range Kinds {
		for i, ns := range list {
			if ns.Type != k.Type || ns.Path == "" {
				continue
			}
			f, err := k.open(ns.Path)
			if err != nil {
				return joined, specconv.Field(specconv.Pointer("linux", "namespaces", i, "path"), err)
			}
			joined = append(joined, Joined{k, f})
		}
	}
	return joined, nil
}

// Close closes what Open opened.
func Close(joined []Joined) {
	for _, j := range joined {
		j.File.Close()
	}
}

// open opens the namespace at path, which is any file that stands for it: /proc/PID/ns/net, or a
// bind mount of that.
func (k Kind) open(path string) (*os.File, error) {
	// O_NONBLOCK: with a fifo in its place there would be no end of waiting.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := verify(int(f.Fd()), k); err != nil {
		f.Close()
		return nil, fmt.Errorf("open %q: %w", path, err)
	}
	return f, nil
}

// verify tells whether fd is a namespace of kind k: "The runtime MUST generate an error if path is
// not associated with a namespace of type type" (config-linux.md). NS_GET_NSTYPE is in ioctl_ns(2),
// since Linux 4.11.
func verify(fd int, k Kind) error {
	flag, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil {
		// Not nsfs: a plain file does not know the request, and what it says of that differs.
		return fmt.Errorf("not a namespace, must be one of type %q", k.Type)
	}
	if uintptr(flag) == k.Flag {
		return nil
	}
	for _, other := range Kinds {
		if uintptr(flag) == other.Flag {
			return fmt.Errorf("a namespace of type %q, must be of type %q", other.Type, k.Type)
		}
	}
	return fmt.Errorf("a namespace of unknown type %#x, must be of type %q", flag, k.Type)
}

// IsOwn tells whether path stands for the namespace of this kind that the runtime itself is in.
func (k Kind) IsOwn(path string) (bool, error) {
	var own, other unix.Stat_t
	if err := unix.Stat(k.self(), &own); err != nil {
		return false, &os.PathError{Op: "stat", Path: k.self(), Err: err}
	}
	if err := unix.Stat(path, &other); err != nil {
		return false, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return own.Dev == other.Dev && own.Ino == other.Ino, nil
}
