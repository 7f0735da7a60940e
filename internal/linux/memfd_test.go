package linux

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFill: the kernel writes as much as the limit of a file's size lets it, and only refuses the
// rest.
func TestFill(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 1000)
	for limit, want := range map[uint64]string{10000: "", 4096: "write 5904 bytes to a memfd: file too large"} {
		said := ""
		if err := fillWithin(t, limit, data); err != nil {
			said = err.Error()
		}
		if said != want {
			t.Errorf("with a limit of %d bytes: %q", limit, said)
		}
	}
}

func fillWithin(t *testing.T, limit uint64, data []byte) error {
	fd, err := Memfd("test", false)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	err = Fill(fd, data)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	return err
}
