package libcontainer

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"oci-run/internal/files"
)

// owner names the user who created the container: the owner of its directory. A user
// without an entry in /etc/passwd goes by number. (os/user is not used: without cgo it
// reads the same file, and brings more than this into the binary.)
func owner(dir *os.File) string {
	info, err := dir.Stat()
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	uid := strconv.Itoa(int(stat.Uid))
	accounts, err := files.Read("/etc/passwd")
	if err != nil {
		return "#" + uid
	}
	for line := range strings.Lines(string(accounts)) {
		fields := strings.SplitN(line, ":", 4)
		if len(fields) == 4 && fields[2] == uid {
			return fields[0]
		}
	}
	return "#" + uid
}
