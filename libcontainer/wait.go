package libcontainer

import (
	"golang.org/x/sys/unix"
)

// Wait waits for the end of the container's process, which must be our child, and returns
// its exit status, or 128 and the number of the signal that ended it.
func (c *Created) Wait() int {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(c.PID, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 255
		case status.Signaled():
			return 128 + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}
