// Package fdleak fails a package's tests if they leave file descriptors open.
//
// A runtime's file descriptors are what an escape is made of: a leaked one may be the host's root
// directory in a container's hands. A package that handles them says in one of its test files:
//
//	func TestMain(m *testing.M) { fdleak.Main(m) }
package fdleak

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"oci-run/tests/isolation"
)

// patience is how long goroutines that still close something are waited for.
const patience = 2 * time.Second

// Main runs the tests as [isolation.Main] does and exits: with their own status, or with 1 if
// descriptors are open that were not before.
func Main(m *testing.M) {
	before := warm()
	code := isolation.Run(m)
	if leaked := since(before); len(leaked) > 0 {
		fmt.Fprintf(os.Stderr, "fdleak: the tests leave %d file descriptors open:\n\t%s\n", len(leaked), strings.Join(leaked, "\n\t"))
		code = max(code, 1)
	}
	os.Exit(code)
}

// Check fails t when it ends with descriptors open that were not when Check was called. The test
// can't be parallel.
func Check(t testing.TB) {
	t.Helper()
	before := warm()
	t.Cleanup(func() {
		if leaked := since(before); len(leaked) > 0 {
			t.Errorf("left open: %s", strings.Join(leaked, ", "))
		}
	})
}

// warm makes the Go runtime open the descriptors that it keeps for itself (its poller), and returns
// what is open then.
func warm() map[int]string {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	return open()
}

// since names what is open beyond before, after some patience: "7 → /etc/passwd".
func since(before map[int]string) []string {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var leaked []string
		for fd, target := range open() {
			if before[fd] != target {
				leaked = append(leaked, fmt.Sprintf("%d → %s", fd, target))
			}
		}
		if len(leaked) == 0 || time.Now().After(deadline) {
			slices.Sort(leaked)
			return leaked
		}
	}
}

// open maps each open descriptor to what /proc says that it is.
func open() map[int]string {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // no procfs: nothing can be said
	}
	fds := make(map[int]string, len(entries))
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// The directory's own descriptor is among the entries, and is gone by now.
		if target, err := os.Readlink(dir + "/" + entry.Name()); err == nil {
			fds[fd] = target
		}
	}
	return fds
}
