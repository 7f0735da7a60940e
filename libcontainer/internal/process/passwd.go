package process

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxPasswd bounds how much of a container's /etc/passwd is read: the file is the image's, and may
// be sparse and endless.
const maxPasswd = 32 << 20

// home returns the home directory of uid by etc/passwd below root, or "/" if there is no such file,
// user or directory. It is not worth an error: any uid may run.
func home(root Root, uid uint32) string {
	file, err := root.Open("/etc/passwd")
	if err != nil {
		return "/"
	}
	defer unix.Close(file.FD)
	if !file.Readable {
		return "/"
	}
	if dir := scanPasswd(func(b []byte) (int, error) { return unix.Read(file.FD, b) }, uid); dir != "" {
		return dir
	}
	return "/"
}

// scanPasswd returns the sixth field of the first line of a passwd(5) file whose third is uid, or
// "". Lines that are longer than the buffer or have too few fields are not entries.
func scanPasswd(read func([]byte) (int, error), uid uint32) string {
	var buf [8192]byte
	have, total, skip := 0, 0, false
	for total < maxPasswd {
		n, err := read(buf[have:])
		if err == unix.EINTR { //nolint:errorlint // a bare errno
			continue
		}
		end := err != nil || n <= 0
		if !end {
			have += n
			total += n
		}
		rest := buf[:have]
		for {
			line, after, complete := bytes.Cut(rest, []byte{'\n'})
			if !complete && !end {
				break
			}
			if !skip {
				if dir, ok := passwdHome(line, uid); ok {
					return dir
				}
			}
			skip = false
			if rest = after; !complete {
				return ""
			}
		}
		have = copy(buf[:], rest)
		if have == len(buf) {
			have, skip = 0, true
		}
	}
	return ""
}

// passwdHome returns the home directory of one line, and whether the line is uid's entry.
func passwdHome(line []byte, uid uint32) (string, bool) {
	var field [6][]byte
	for i := range field {
		var more bool
		field[i], line, more = bytes.Cut(line, []byte{':'})
		if !more && i < len(field)-1 {
			return "", false
		}
	}
	id, err := strconv.ParseUint(string(field[2]), 10, 32)
	if err != nil || uint32(id) != uid || bytes.IndexByte(field[5], 0) >= 0 {
		return "", false
	}
	return string(bytes.TrimSuffix(field[5], []byte{'\r'})), true
}
