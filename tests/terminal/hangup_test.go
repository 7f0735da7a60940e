package terminal

import (
	"bytes"
	"net"
	"path/filepath"
	"testing"
)

// impatient is an engine that closes each connection, after it has got a terminal if takes is set.
func impatient(t *testing.T, takes bool) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "console")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if takes { // the descriptor that comes along is gone with the message
				_, _ = conn.Read(make([]byte, 100))
			}
			conn.Close()
		}
	}()
	return path
}

// An engine that closes the console socket, or the terminal, is named as the cause.
func TestConsoleSocketThatCloses(t *testing.T) {
	for _, takes := range []bool{false, true} {
		path := impatient(t, takes)
		s := newSession(t, true, "sleep", "1000")
		out, err := s.command("create", "--bundle", s.bundle, "--console-socket", path, s.id).CombinedOutput()
		if err == nil && takes { // it was quick enough, and is hung up as any program
			continue
		}
		if err == nil || !bytes.Contains(out, []byte("console socket")) || !bytes.Contains(out, []byte("has closed")) {
			t.Errorf("takes %v: %v, %s", takes, err, out)
		}
	}
}
