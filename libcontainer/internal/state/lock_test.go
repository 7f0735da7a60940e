package state

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestHolder: who has to wait too long is told for whom.
func TestHolder(t *testing.T) {
	root := t.TempDir()
	d := reserve(t, root, "one")
	defer d.Close()
	waiter, err := Open(root, "one") // has it open, and does not hold it
	if err != nil {
		t.Fatal(err)
	}
	defer waiter.Close()
	_, err = lock(root, "one", 20*time.Millisecond)
	held, ok := errors.AsType[*heldError](err)
	if !ok || !errors.Is(err, unix.EWOULDBLOCK) {
		t.Fatalf("error %v", err)
	}
	want := fmt.Sprintf("lock container \"one\": held for more than 20ms by process %d (", os.Getpid())
	if held.ID != "one" || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want %q", err, want)
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		d.Close()
	}()
	again, err := Lock(root, "one")
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
