// Package capabilities holds libcontainer/internal/capabilities against moby/sys/capability.
package capabilities

import (
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/capability"

	"oci-run/libcontainer/internal/capabilities"
	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// Both know the same capabilities by the same numbers.
func TestNames(t *testing.T) {
	theirs := make([]string, len(capability.ListKnown()))
	for _, c := range capability.ListKnown() {
		name := "CAP_" + strings.ToUpper(c.String())
		theirs[c] = name
		if n, ok := capabilities.Number(name); n != int(c) || !ok {
			t.Errorf("%s: %d, %v, want %d", name, n, ok, c)
		}
	}
	if d := cmp.Diff(theirs, capabilities.Names()); d != "" {
		t.Errorf("(-theirs +ours):\n%s", d)
	}
}

// What a thread has, both read as the same, with all that it has and with less.
func TestPermitted(t *testing.T) {
	compare := func(t *testing.T) {
		t.Helper()
		theirs, err := capability.NewPid2(0)
		if err == nil {
			err = theirs.Load()
		}
		if err != nil {
			t.Error(err)
			return
		}
		var want uint64
		for _, c := range capability.ListKnown() {
			if theirs.Get(capability.PERMITTED, c) {
				want |= 1 << c
			}
		}
		if got, err := capabilities.Permitted(false); got != want || err != nil {
			t.Errorf("permitted: %q, %v, want %q", capabilities.Format(got), err, capabilities.Format(want))
		}
	}
	compare(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and ends with its fewer capabilities
		for _, c := range capability.ListKnown() {
			own, err := capability.NewPid2(0)
			if err == nil {
				err = own.Load()
			}
			if err != nil {
				t.Error(err)
				return
			}
			own.Unset(capability.CAPS, c)
			if err := own.Apply(capability.CAPS); err != nil {
				t.Errorf("drop %s: %v", c, err)
			}
			compare(t)
		}
	}()
	<-done
}
