package faults

import (
	"net"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// consoleName is the socket in the bundle that gets the masters of terminals.
const consoleName = "console.sock"

// consoles keeps the masters of a container's terminals, as an engine does.
type consoles struct {
	mu  sync.Mutex
	fds []int
}

// listen takes what comes to the console socket until the test ends.
func (m *machine) listen() {
	path := filepath.Join(m.dir, consoleName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		m.t.Fatal(err)
	}
	done := make(chan struct{})
	m.t.Cleanup(func() { _ = l.Close(); <-done; m.consoles.forget() })
	go func() {
		defer close(done)
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			go m.consoles.take(c) // who connects may never send
		}
	}()
}

func (c *consoles) take(conn *net.UnixConn) {
	defer conn.Close()
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 4096), control)
	if err != nil {
		return
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range messages {
		fds, _ := unix.ParseUnixRights(&messages[i])
		c.fds = append(c.fds, fds...)
	}
}

// forget closes the masters.
func (c *consoles) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, fd := range c.fds {
		_ = unix.Close(fd)
	}
	c.fds = nil
}
