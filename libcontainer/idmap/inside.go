package idmap

import (
	"bytes"

	"oci-run/libcontainer/linux"
)

// InUserNamespace tells whether we are in another user namespace than the host's, whose ids are all mapped to
// themselves (user_namespaces(7)). One that has no mapping yet counts; a kernel that knows none has no map to read.
func InUserNamespace() bool {
	text, err := linux.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	fields := bytes.Fields(text)
	return len(fields) != 3 || string(fields[0]) != "0" || string(fields[1]) != "0" || string(fields[2]) != "4294967295"
}
