package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
)

// The rights of a session keyring (include/linux/key.h): all for who possesses it; view, read and
// link for its owner, as the kernel gives them; and the right to search, without which an exec
// could not join it.
const (
	keyPossessor   = 0x3f000000
	keyUser        = 0x00130000
	keyUserSearch  = 0x00080000
	keyOtherSearch = 0x00000008
)

// AddKeyring gives the process the container's own session keyring, "_ses." and the id, instead of
// the caller's: what it holds is not the container's business. create is false for an exec, which
// joins the ring as it is; else the ring is made searchable so that an exec can: by its owner, or
// with a user namespace, in which the owner's uid is another one, by everybody who knows it. A
// kernel without keyrings is not an error.
func AddKeyring(l *calls.List, id string, create, userNS bool) {
	name := "_ses." + id
	join := l.Do(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, l.Text(name))
	join.Expect, join.Else = []unix.Errno{unix.ENOSYS}, l.Place()
	join.Explain = func(errno unix.Errno) error { return keyringError(name, errno) }
	if create {
		rights := uintptr(keyPossessor | keyUser | keyUserSearch)
		if userNS {
			rights = keyPossessor | keyUser | keyOtherSearch
		}
		join.Into, join.IntoArg = l.Do(unix.SYS_KEYCTL, unix.KEYCTL_SETPERM, 0, rights).Or("make session keyring %q searchable", name), 1
	}
	l.Add(join.Else)
}

func keyringError(name string, err error) error {
	hint := ""
	if errors.Is(err, unix.EDQUOT) {
		hint = " (the quota of keys is used up: see /proc/key-users, and maxkeys, maxbytes, root_maxkeys and root_maxbytes in /proc/sys/kernel/keys)"
	}
	return fmt.Errorf("join session keyring %q: %w%s", name, err, hint)
}
