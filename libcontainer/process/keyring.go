package process

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Possession-independent rights to search a key (include/linux/key.h).
const (
	keyOtherSearch = 0x00000008
	keyUserSearch  = 0x00080000
)

// JoinKeyring gives the calling thread the container's own session keyring, "_ses." and the id, instead of the caller's: what it
// holds is not the container's business. create is false for an exec, which joins the ring as it is; else the ring is made
// searchable so that an exec can: by its owner, or with a user namespace, in which the owner's uid is another one, by everybody
// who knows it. A kernel without keyrings is not an error.
func JoinKeyring(id string, create, userNS bool) error {
	name := "_ses." + id
	ring, err := unix.KeyctlJoinSessionKeyring(name)
	switch {
	case errors.Is(err, unix.ENOSYS):
		return nil
	case err != nil:
		return keyringError(name, err)
	case !create:
		return nil
	}
	described, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, ring)
	if err != nil {
		return fmt.Errorf("describe session keyring %q: %w", name, err)
	}
	rights, err := keyRights(described)
	if err != nil {
		return fmt.Errorf("session keyring %q: %w", name, err)
	}
	if userNS {
		rights |= keyOtherSearch
	} else {
		rights |= keyUserSearch
	}
	if err := unix.KeyctlSetperm(ring, rights); err != nil {
		return fmt.Errorf("make session keyring %q searchable: %w", name, err)
	}
	return nil
}

func keyringError(name string, err error) error {
	hint := ""
	if errors.Is(err, unix.EDQUOT) {
		hint = " (the quota of keys is used up: see /proc/key-users, and maxkeys, maxbytes, root_maxkeys and root_maxbytes in /proc/sys/kernel/keys)"
	}
	return fmt.Errorf("join session keyring %q: %w%s", name, err, hint)
}

// keyRights takes the rights out of what KEYCTL_DESCRIBE gives: "type;uid;gid;rights;description".
func keyRights(described string) (uint32, error) {
	fields := strings.SplitN(described, ";", 5)
	if len(fields) < 5 {
		return 0, fmt.Errorf("description %q has no rights", described)
	}
	rights, err := strconv.ParseUint(fields[3], 16, 32)
	if err != nil {
		return 0, fmt.Errorf("description %q: rights %q are not hexadecimal", described, fields[3])
	}
	return uint32(rights), nil
}
