package systemd

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// silent listens on a socket, says what it is told to whoever connects, and then nothing.
func silent(t *testing.T, says string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			_, _ = c.Write([]byte(says))
		}
	}()
	return path
}

// A manager that hangs, at whatever point, ends in an error and not in a container that is being made for ever.
func TestDeadline(t *testing.T) {
	for _, c := range []struct {
		name, says string
		bus        bool
	}{
		{"authentication", "", false},
		{"half of it", "DATA\r\n", false},
		{"first call on a bus", "DATA\r\nOK 0123\r\n", true},
		{"a later call", "DATA\r\nOK 0123\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			conn := &Conn{fd: fd, bus: c.bus, removed: map[string]string{}, deadline: time.Now().Add(50 * time.Millisecond)}
			defer conn.Close()
			err = conn.open(silent(t, c.says))
			if err == nil {
				_, err = conn.manager("Reload", "", nil)
			}
			if err == nil {
				_, err = conn.await("/job/1")
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Each operation begins with a deadline of its own.
func TestBegin(t *testing.T) {
	c := &Conn{}
	c.begin()
	if left := time.Until(c.deadline); left <= timeout-time.Second || left > timeout {
		t.Errorf("%v left of %v", left, timeout)
	}
}
