package libcontainer

import (
	"bufio"
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
	f, err := files.Open("/etc/passwd", os.O_RDONLY, 0)
	if err != nil {
		return "#" + uid
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.SplitN(lines.Text(), ":", 4)
		if len(fields) == 4 && fields[2] == uid {
			return fields[0]
		}
	}
	return "#" + uid
}
