package libcontainer

import (
	"os"
	"path/filepath"
	"strconv"
)

// writePIDFile writes a pid in decimal, without a newline: go-runc parses the whole file
// as a number. Who waits for the file never sees half of it.
func writePIDFile(path string, pid int) error {
	partial := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(pid))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		os.Remove(partial)
	}
	return err
}
