package idmap

import (
	"bytes"
	"sync"

	"oci-run/internal/files"
)

// inside is the answer of InUserNamespace: a process with threads can't change its user namespace
// (setns(2)).
var inside struct {
	once sync.Once
	yes  bool
}

// InUserNamespace tells whether we are in another user namespace than the host's, whose ids are all
// mapped to themselves (user_namespaces(7)). One that has no mapping yet counts; a kernel that
// knows none has no map to read.
func InUserNamespace() bool {
	inside.once.Do(func() { inside.yes = inUserNamespace() })
	return inside.yes
}

func inUserNamespace() bool {
	text, err := files.Read("/proc/self/uid_map")
	if err != nil {
		return false
	}
	fields := bytes.Fields(text)
	return len(fields) != 3 || string(fields[0]) != "0" || string(fields[1]) != "0" || string(fields[2]) != "4294967295"
}
