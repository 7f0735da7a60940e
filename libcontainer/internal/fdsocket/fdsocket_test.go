package fdsocket

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// listen binds a stream socket in a directory whose path may be too long for an address.
func listen(t *testing.T, dir, name string) (path string, fd int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	short := filepath.Join(t.TempDir(), "s")
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: short}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, name)
	if err := os.Rename(short, path); err != nil {
		t.Fatal(err)
	}
	return path, fd
}

func TestHandOver(t *testing.T) {
	tests := []struct{ name, dir, socket string }{
		{"short path", "", "c.sock"},
		{"108 bytes and more", strings.Repeat("directory/", 20), "c.sock"},
		{"longest name", strings.Repeat("directory/", 20), strings.Repeat("n", unix.NAME_MAX)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, listener := listen(t, filepath.Join(t.TempDir(), tt.dir), tt.socket)
			client, err := Dial(path)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			server := os.NewFile(uintptr(fd), "server")
			defer server.Close()

			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := Send(client, "/dev/pts/7", w); err != nil {
				t.Fatal(err)
			}
			w.Close()
			got, err := Receive(server)
			if err != nil {
				t.Fatal(err)
			}
			if got.Name() != "/dev/pts/7" {
				t.Errorf("name %q", got.Name())
			}
			if _, err := got.WriteString("x"); err != nil {
				t.Error(err)
			}
			got.Close()
			var b [2]byte
			if n, err := r.Read(b[:]); n != 1 || b[0] != 'x' {
				t.Errorf("read %d bytes, %v", n, err)
			}
		})
	}
}

func TestReceiveRefuses(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	tests := []struct {
		name    string
		payload string
		rights  []byte
		want    string
	}{
		{"nothing", "", nil, ErrClosed.Error()},
		{"no descriptor", "x", nil, "not exactly one came"},
		{"two descriptors", "x", unix.UnixRights(fd, fd), "not exactly one came"},
		{"forty descriptors", "x", unix.UnixRights(make([]int, 40)...), "not exactly one came"},
		{"long name", strings.Repeat("x", maxName+1), unix.UnixRights(fd), "its name is too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fdleak.Check(t)
			a, b, err := Pair()
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if tt.payload != "" {
				if err := unix.Sendmsg(int(a.Fd()), []byte(tt.payload), tt.rights, nil, 0); err != nil {
					t.Fatal(err)
				}
			}
			a.Close()
			f, err := Receive(b)
			if err == nil {
				f.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestSendToClosed(t *testing.T) {
	a, b, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b.Close()
	if err := Send(a, "name", a); !errors.Is(err, unix.EPIPE) {
		t.Errorf("got %v, want EPIPE", err)
	}
	if err := Send(a, "", a); err == nil {
		t.Error("empty name accepted")
	}
}

func TestDialMissing(t *testing.T) {
	for _, dir := range []string{"", strings.Repeat("d/", 100)} {
		path := filepath.Join(t.TempDir(), dir, "none.sock")
		_, err := Dial(path)
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("Dial(%q) = %v", path, err)
		}
	}
}
