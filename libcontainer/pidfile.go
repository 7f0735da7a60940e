package libcontainer

import "strconv"

// writePIDFile writes a pid in decimal, without a newline: go-runc parses the whole file
// as a number. Who waits for the file never sees half of it.
func writePIDFile(path string, pid int) error {
	f, err := newPIDFile(path, pid)
	if err != nil {
		return err
	}
	return f.commit()
}

// newPIDFile writes the file under another name.
func newPIDFile(path string, pid int) (*pendingFile, error) {
	return newPendingFile(path, []byte(strconv.Itoa(pid)), 0o644)
}
