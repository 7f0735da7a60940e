package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/internal/spelling"
	"oci-run/libcontainer/internal/idmap"
	"oci-run/specconv"
)

// hint says what the kernel means by an error, as far as the configuration and what can be looked
// at agree with that; "" is better than a wrong one.
func (p *Plan) hint(m *Mount, err error) string {
	switch {
	case errors.Is(err, unix.ENODEV) && m.Kind != Bind && unknownType(m.Type):
		known, _ := filesystems() // of which an error leaves none to suggest
		return fmt.Sprintf(" (the kernel has no filesystem %q%s)", m.Type, spelling.Hint(m.Type, known))
	case errors.Is(err, unix.EINVAL) && m.Kind != Bind:
		return m.misspelt()
	case !errors.Is(err, unix.EPERM) || !p.inUserNamespace():
	case m.Kind == Proc && p.PIDNS:
		return hiddenProc()
	case m.Kind == Proc:
		return " (a user namespace can mount proc only with a pid namespace of its own)"
	case m.Kind == Mqueue && !p.IPCNS:
		return " (a user namespace can mount mqueue only with an ipc namespace of its own)"
	}
	return ""
}

// inUserNamespace tells whether init is in a user namespace: the container's, or one that the
// runtime itself was started in. Only there may a copy of what the host has stand for a filesystem
// that the kernel refuses. Elsewhere it refuses for reasons that a copy would go around.
func (p *Plan) inUserNamespace() bool { return p.UserNS || idmap.InUserNamespace() }

// misspelt is a hint at an option that went to the filesystem although another name was meant.
func (m *Mount) misspelt() string {
	for i := range m.Params {
		switch p := &m.Params[i]; {
		case p.Key == "readonly", p.Key == "rdonly":
			return fmt.Sprintf(" (did you mean \"ro\" by %q?)", p.Key)
		case !p.HasValue && slices.Contains(MountOptionNames(), p.Key): // it came with others
			return fmt.Sprintf(" (each option is an entry of its own: %q stands in one with others)", p.Key)
		}
	}
	if field, ok := errors.AsType[*specconv.FieldError](m.foreseeOptions()); ok {
		return " (" + field.Err.Error() + ")"
	}
	return ""
}

// unknownType tells whether there is no such type of filesystem: those that there are say ENODEV of
// a device too.
func unknownType(name string) bool {
	fd, err := linux.Fsopen(name)
	if err == nil {
		unix.Close(fd)
	}
	return errors.Is(err, unix.ENODEV)
}

// hiddenProc explains why a user namespace can't mount proc although the pid namespace is its own:
// the kernel allows that only where a proc is mounted of which nothing is hidden
// (mount_namespaces(7)).
func hiddenProc() string {
	list, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(list) {
		if fields := bytes.Fields(line); len(fields) > 4 && bytes.HasPrefix(fields[4], []byte("/proc/")) {
			return fmt.Sprintf(" (%q is hidden where the runtime runs, and a user namespace must not see more: "+
				"unmask /proc there, or bind-mount it)", unescape(string(fields[4])))
		}
	}
	return ""
}
