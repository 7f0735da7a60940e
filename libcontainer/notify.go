package libcontainer

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/sdnotify"
)

// Readiness waits for a container to say that it is ready, for the service manager.
type Readiness struct {
	socket *sdnotify.Socket
	init   *os.File // pidfd
	pid    int
}

// NotifySocket makes the socket to which the container's processes report, if the
// container was created with Notify; else it returns nil. It is to be called before the
// container's Start.
func (c *Container) NotifySocket() (*Readiness, error) {
	dir, err := c.dir()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	socket, err := sdnotify.Listen(sdnotify.Dir(dir.Path()))
	if err != nil || socket == nil {
		return nil, err
	}
	init, err := c.openInit()
	if err != nil {
		socket.Close()
		return nil, err
	}
	return &Readiness{socket, init, c.record.Init.PID}, nil
}

// Forward waits until the container is ready, or has ended, and tells the service manager
// at the address manager. mainPID is the process that it shall watch from then on; 0 is
// the container's. A nil Readiness has nothing to wait for.
func (r *Readiness) Forward(manager string, mainPID int) error {
	if r == nil {
		return nil
	}
	defer r.Close()
	if mainPID == 0 {
		mainPID = r.pid
	}
	return r.socket.Forward(manager, mainPID, r.init)
}

// Close gives the socket up.
func (r *Readiness) Close() {
	if r != nil {
		r.socket.Close()
		r.init.Close()
	}
}

// openInit opens a pidfd of the container's init process. Its pid may be another
// process's by now.
func (c *Container) openInit() (*os.File, error) {
	init := c.record.Init
	fd, err := init.PidFD()
	if err == nil {
		if err = living(init); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the container's init process %d: %w", init.PID, err)
	}
	return os.NewFile(uintptr(fd), "container "+c.record.ID), nil
}
